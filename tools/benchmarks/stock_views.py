"""mmpretrain's own pipelines, as the stock side of a benchmark."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mmcv
import mmpretrain
import numpy as np
from mmengine.config import Config

from bm_plugins.errors import InputError

SWAV = '.mim/configs/swav/swav_resnet50_8xb32-mcrop-coslr-200e_in1k-224px-96px'


def stock_pipeline(setting: str) -> list[dict]:
    """What mmpretrain alone offers for views of an image.

    Args:
        setting (str): ``'swav'``: two views of 224 px and six of 96 px, read
            from the config in mmpretrain's wheel. ``'paper'``: the views of
            ``configs/swav_bm.py`` in stock transforms, two of 224 px.

    Returns:
        list[dict]: From reading the file to ``PackInputs``. On numpy 2 it
        runs within :func:`numpy2_hue` alone.

    Raises:
        InputError: Another setting.
    """
    if setting == 'swav':
        folder = Path(mmpretrain.__file__).parent
        cfg = Config.fromfile(folder / f'{SWAV}.py')
        return cfg._cfg_dict.to_dict()['train_pipeline']
    if setting != 'paper':
        raise InputError(f"setting={setting!r}: expected 'swav' or 'paper'.")
    jitter = dict(
        type='ColorJitter', brightness=0.3, saturation=0.3, hue=18 / 360
    )
    view = [
        dict(
            type='RandomResizedCrop',
            scale=224,
            crop_ratio_range=(0.14, 1.0),
            backend='pillow',
        ),
        dict(type='RandomApply', transforms=[jitter], prob=0.8),
        dict(type='RandomFlip', prob=0.5, direction='horizontal'),
        dict(type='RandomFlip', prob=0.5, direction='vertical'),
    ]
    return [
        dict(type='LoadImageFromFile'),
        dict(type='MultiView', num_views=[2], transforms=[view]),
        dict(type='PackInputs'),
    ]


class _Turn(float):
    """A share of the circle, whose product with 255 is within a byte."""

    def __mul__(self, full: float) -> int:
        return int(float(self) * full) % 256


@contextmanager
def numpy2_hue() -> Iterator[None]:
    """Let ``mmcv.adjust_hue`` turn hues back on numpy 2 too.

    Why: it adds ``np.uint8(hue_factor * 255)``, which numpy 1 wrapped around
    for negative numbers and numpy 2 refuses. Here the product is wrapped
    before; the rest is mmcv's own code. Worker processes forked within take
    it along.
    """
    upstream = mmcv.adjust_hue

    def adjust_hue(
        img: np.ndarray, hue_factor: float, backend: str | None = None
    ) -> np.ndarray:
        return upstream(img, _Turn(hue_factor), backend)

    mmcv.adjust_hue = adjust_hue
    try:
        yield
    finally:
        mmcv.adjust_hue = upstream
