"""What upstream's parts cannot do, said before they fail or go astray."""

from collections.abc import Mapping
from typing import Any

import mmcv
import numpy as np
from mmengine.model import BaseAveragedModel
from torch import nn
from torch.utils.data import DataLoader

from bm_plugins.errors import InputError

# Why several small steps are not a large one.
_OF_A_BATCH = dict(
    SimCLR='SimCLR contrasts an image with the others of its step',
    LatentCrossCorrelationHead='the correlations are those of a step',
    SwAVLoss='SwAV assigns the images of a step to the prototypes in equal '
    'shares',
)


def accumulation_reason(module: nn.Module) -> str:
    """Why gradients may not be accumulated; ``''`` if they may.

    Args:
        module (nn.Module): A part of a model. Its own
            ``accumulation_refused`` counts first.
    """
    if isinstance(module, BaseAveragedModel):
        return 'its target network moves in each step'
    kinds = [kind.__name__ for kind in type(module).__mro__]
    known = [_OF_A_BATCH[kind] for kind in kinds if kind in _OF_A_BATCH]
    return getattr(module, 'accumulation_refused', ''.join(known[:1]))


def check_queue(
    model: nn.Module, dataloader: DataLoader, world_size: int
) -> None:
    """Refuse a queue that upstream's MoCo or DenseCL could not fill.

    Raises:
        InputError: A step's images do not divide it.
    """
    names = {kind.__name__ for kind in type(model).__mro__}
    if not names & {'MoCo', 'DenseCL'}:
        return
    batches, length = dataloader.batch_sampler, model.queue_len
    batch = batches.batch_size * world_size
    if length % batch:
        near = max(round(length / batch), 1) * batch
        raise InputError(
            f'model.queue_len={length}: expected a multiple of {batch}, the '
            f'batch of all processes ({world_size} x {batches.batch_size}). '
            f'Set model.queue_len={near}, or train_dataloader.batch_size.'
        )
    last = len(batches.sampler) % batches.batch_size * world_size
    if not batches.drop_last and last and length % last:
        raise InputError(
            f'model.queue_len={length}: an epoch ends with a batch of {last} '
            'images, which does not divide it. Leave that out: '
            'train_dataloader.batch_sampler.drop_last=True.'
        )


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
