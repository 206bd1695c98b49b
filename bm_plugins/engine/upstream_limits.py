"""What upstream's parts cannot do, said before they fail or go astray."""

from collections.abc import Mapping
from typing import Any

import mmcv
import numpy as np

from bm_plugins.errors import InputError


def check_hue(jitter: Mapping[str, Any], where: str) -> None:
    """Refuse a ColorJitter whose hues mmcv cannot turn back on numpy 2.

    Args:
        jitter (Mapping): Its config.
        where (str): Its key, for the error.
    """
    hue = jitter.get('hue') or 0
    least = hue[0] if isinstance(hue, list | tuple) else -hue
    try:
        mmcv.adjust_hue(np.zeros((1, 1, 3), np.uint8), max(least, -0.5))
    except OverflowError:
        raise InputError(
            f"{where}.hue={hue}: mmcv's ColorJitter cannot lower a hue beside "
            f'numpy {np.__version__}. Leave the hue out, or change it by '
            "dict(type='MultiCropViews', views=..., color_jitter=dict("
            f'hue={hue})), which makes the views of pretraining.'
        ) from None
