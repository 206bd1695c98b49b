"""Whether SwAV's settings fit each other and the data."""

import math

from mmpretrain.datasets import BaseDataset

from bm_plugins.datasets.image_io import read_image
from bm_plugins.datasets.transforms import MultiCropViews
from bm_plugins.errors import InputError, UnreadableImage
from bm_plugins.models import GlobalSwAVLoss


def check_swav_settings(
    loss: GlobalSwAVLoss, dataset: BaseDataset, batch_size: int
) -> list[str]:
    """Settings that seldom work.

    Args:
        loss (GlobalSwAVLoss): The loss.
        dataset (BaseDataset): The training part.
        batch_size (int): Images of all ranks in a step.

    Returns:
        list[str]: A sentence or two for each, with what to change.

    Raises:
        InputError: The data give another number of views than the loss takes.
    """
    prototypes, queue = loss.prototypes.out_features, loss.queue.size(1)
    warnings = []
    if prototypes > 2 * (batch_size + queue):
        warnings.append(
            f'SwAV: model.head.loss.num_prototypes={prototypes} for '
            f'{batch_size + queue} embeddings (global batch {batch_size}, '
            f'queue {queue}): most prototypes get none. Use at most '
            f'{2 * (batch_size + queue)} prototypes, or a longer queue.'
        )
    if queue > len(dataset):
        warnings.append(
            f'SwAV: model.head.loss.queue_length={queue} is more than the '
            f'{len(dataset)} images of an epoch, so that it holds embeddings '
            'of a network long gone. Shorten it, or set it to 0.'
        )
    pipeline = getattr(dataset, 'pipeline', None)  # a wrapper has none
    for transform in getattr(pipeline, 'transforms', []):
        if isinstance(transform, MultiCropViews):
            given, wanted = len(transform.views), sum(loss.num_crops)
            if given != wanted:
                raise InputError(
                    f'MultiCropViews in train_dataloader.dataset.pipeline '
                    f'gives {given} views of an image, model.head.loss.'
                    f'num_crops={loss.num_crops} says {wanted}: set both to '
                    'the same.'
                )
            warnings += _check_views(transform, dataset)
    return warnings


def _check_views(views: MultiCropViews, dataset: BaseDataset) -> list[str]:
    try:
        image = read_image(dataset.get_data_info(0)['img_path'])
    except UnreadableImage:  # LoadCellImage will say so
        return []
    side = min(image.shape[:2])
    warnings = []
    for size, scale in dict.fromkeys(views.views):
        least = side * math.sqrt(min(scale))
        if size > side or size > 4 * least:
            warnings.append(
                f'SwAV: views of {size} px are blown up from images of '
                f'{side} px, the smallest from {least:.0f} px. Lower size, '
                'or raise scale, in the views of MultiCropViews.'
            )
    return warnings
