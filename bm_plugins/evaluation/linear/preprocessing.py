"""Features of mean 0 and standard deviation 1, and their principal axes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bm_plugins.errors import InputError

# Up to here all is float64 (128 MiB); beyond, the features' own type.
SMALL = 2**24


@dataclass(frozen=True)
class Spectrum:
    """The axes of the features' mean square.

    Attributes:
        values (Tensor): Mean squares along them (R,), float64.
        axes (Tensor): The axes (D, R), a column each, float64.
    """

    values: Tensor
    axes: Tensor


def working_type(features: Tensor) -> torch.dtype:
    """Type to multiply features (N, D) in: float64 where they are few."""
    return torch.float64 if features.numel() <= SMALL else features.dtype


def rows_at_a_time(features: Tensor) -> int:
    """Rows of (N, D) to handle at a time: 64 MiB of them on a CPU."""
    size = 2**24 if features.device.type == 'cpu' else 2**28
    return max(1, size // max(1, features.size(1)))


def principal_axes(
    features: Tensor, weights: Tensor | None = None
) -> Spectrum:
    """Principal axes about 0, without a copy of many features.

    Where there are fewer samples than features, only the axes that a sample
    has a part in: weights along others would be 0.

    Args:
        features (Tensor): (N, D).
        weights (Tensor, optional): Of the samples (N,), positive, of mean 1.
            Defaults to None: all are alike.

    Returns:
        Spectrum: Eigenvalues, ascending, and eigenvectors of X^T W X / N, W
        the weights on a diagonal.
    """
    count, length = features.shape
    roots = None if weights is None else weights.sqrt()[:, None]
    if count < length:
        x = features.double()
        if roots is not None:
            x = x * roots
        values, shares = torch.linalg.eigh(x @ x.t() / count)
        # The others are rounding.
        large = values > 1e-10 * values[-1]
        values, shares = values[large], shares[:, large]
        return Spectrum(values, x.t() @ shares / (count * values).sqrt())
    square = features.new_zeros(length, length, dtype=torch.float64)
    step = rows_at_a_time(features)
    for first in range(0, count, step):
        part = features[first : first + step].to(working_type(features))
        if roots is not None:
            part = part * roots[first : first + step].to(part.dtype)
        square += part.t() @ part
    values, axes = torch.linalg.eigh(square / count)
    return Spectrum(values.clamp(min=0), axes)


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
