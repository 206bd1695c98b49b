"""A linear classifier of frozen features, regularisation included."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from .linear_classifier import choose_l2, fit_softmax_regression
from .principal_axes import principal_axes
from .standardise import standardise_

GRID = (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5)


class LinearProbe(NamedTuple):
    """A fitted classifier of features as they are.

    Attributes:
        weight (Tensor): (C, D) float64.
        bias (Tensor): (C,) float64.
        l2 (float): The chosen regularisation, of standardised features.
        scores (dict[float, float]): Macro F1 by ``l2``.
    """

    weight: Tensor
    bias: Tensor
    l2: float
    scores: dict[float, float]


def fit_linear_probe(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    grid: Sequence[float] = GRID,
    folds: int = 5,
    seed: int = 0,
) -> LinearProbe:
    """Standardise, choose the regularisation, fit.

    Args:
        features (Tensor): (N, D), overwritten: there may not be room for two.
        labels (Tensor): (N,) int64.
        num_classes (int): Number C of classes.
        grid (Sequence[float]): Values of ``l2`` to choose from by
            :func:`choose_l2`.
        folds (int): Folds of its cross-validation. Defaults to 5.
        seed (int): Seed of the folds. Defaults to 0.

    Returns:
        LinearProbe: The classifier of features that are not standardised.
    """
    mean, std = standardise_(features)
    axes = principal_axes(features)
    task = features, labels, num_classes
    l2, scores = choose_l2(*task, grid, folds, seed, axes)
    theta = fit_softmax_regression(*task, l2, spectrum=axes)
    weight = theta[:-1] / std[:, None]
    return LinearProbe(weight.t(), theta[-1] - mean @ weight, l2, scores)
