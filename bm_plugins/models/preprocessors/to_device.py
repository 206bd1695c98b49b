"""Copies to the device that the host does not wait for."""

from collections.abc import Sequence

import torch
from mmpretrain.structures import DataSample
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a small tensor of the host, without waiting.

    Args:
        tensor (Tensor): Any.
        device (torch.device): Where it goes.

    Returns:
        Tensor: There; the same tensor if it was there already.
    """
    if device.type == 'cuda' and tensor.device.type == 'cpu':
        # From pageable memory CUDA may wait for the stream.
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def labels_to_device(
    samples: Sequence[DataSample] | None, device: torch.device
) -> None:
    """Copy the labels of a batch in one go, in place.

    Args:
        samples (Sequence[DataSample], optional): A batch; left as it is if
            its first has no label.
        device (torch.device): Where they go.
    """
    if not samples or 'gt_label' not in samples[0]:
        return
    labels = [sample.gt_label for sample in samples]
    moved = to_device(torch.cat(labels), device)
    sizes = [len(label) for label in labels]
    for sample, label in zip(samples, moved.split(sizes), strict=True):
        sample.set_gt_label(label)
