"""Whether an epoch of the training data can be trained on."""

import torch
from mmengine.dist import all_gather
from torch import nn
from torch.utils.data import DataLoader

from bm_plugins.errors import InputError


def check_epoch(model: nn.Module, dataloader: DataLoader) -> None:
    """Compare the data with the model, and the ranks with each other.

    Raises:
        InputError: An epoch has no batch, ranks would wait for ever for one
            that has fewer, or the model has other classes than the data, or
            weights of another number of classes.
    """
    head = getattr(model, 'head', None)
    given = getattr(head, 'num_classes', None)
    classes = getattr(dataloader.dataset, 'metainfo', {}).get('classes')
    if given and classes and given != len(classes):
        raise InputError(
            f'model.head.num_classes is {given}, but the data set has '
            f'{len(classes)} classes: set both to the same.'
        )
    weights = getattr(
        getattr(head, 'loss_module', None), 'class_weight', None
    )  # upstream's would fail in the first step
    if given and isinstance(weights, list | tuple) and len(weights) != given:
        raise InputError(
            f'model.head.loss.class_weight: expected {given} numbers, one for '
            f'each class, found {len(weights)}.'
        )
    count = torch.tensor(len(dataloader))
    counts = [int(n) for n in all_gather(count)]
    if min(counts) == 0:
        raise InputError(
            'the training part has fewer images than one batch: lower '
            'train_dataloader.batch_size (--cfg-options '
            'train_dataloader.batch_size=...).'
        )
    if min(counts) != max(counts):
        raise InputError(
            f'ranks have {min(counts)} to {max(counts)} batches an epoch '
            'and would wait for each other. Choose samples_per_class so '
            'that the epoch divides by the number of processes.'
        )
