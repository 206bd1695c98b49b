"""Features of mean 0 and standard deviation 1."""

import torch
from torch import Tensor

from bm_plugins.errors import InputError

from .principal_axes import rows_at_a_time


def standardise_(features: Tensor) -> tuple[Tensor, Tensor]:
    """Standardise features in place.

    Args:
        features (Tensor): (N, D), overwritten.

    Returns:
        tuple[Tensor, Tensor]: Mean and standard deviation (D,), float64, of
        N - 1 degrees of freedom; 1 where a feature is constant, or N is 1.

    Raises:
        InputError: A feature is not finite.
    """
    step = rows_at_a_time(features)
    parts = features.split(step)
    count, length = features.shape
    total = features.new_zeros(length, dtype=torch.float64)
    for part in parts:
        total += part.sum(0, dtype=torch.float64)
    mean = total / count
    if not mean.isfinite().all():
        raise InputError(
            'the features are not finite: the checkpoint has diverged, or '
            'they overflow float16. Give another, or leave --amp out.'
        )
    square = torch.zeros_like(total)
    for part in parts:
        square += (part - mean).square().sum(0)
    std = (square / (count - 1)).sqrt() if count > 1 else square
    # Below the rounding of a feature is nothing to divide by.
    floor = torch.finfo(features.dtype).eps * mean.abs()
    std = torch.where(std > floor, std, torch.ones_like(std))
    for part in parts:
        part.copy_((part - mean) / std)
    return mean, std
