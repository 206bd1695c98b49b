"""A linear classifier of frozen features, regularisation included."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from ..progress import Progress, duration
from .linear_classifier import choose_l2, fit_softmax_regression
from .principal_axes import principal_axes
from .standardise import standardise_

GRID = (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5)
# Up to here a fit takes seconds on one thread, and several that wait for
# each other on a busy machine take minutes: 1,166 x 128 features of 15
# classes 1.5 s on one thread and 7.7 s on two, 4,000 x 512 4.5 s and 25 s.
ONE_THREAD = 2**22


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
    say: Callable[[str], object] | None = None,
) -> LinearProbe:
    """Standardise, choose the regularisation, fit.

    On one thread where the features are few.

    Args:
        features (Tensor): (N, D), overwritten: there may not be room for two.
        labels (Tensor): (N,) int64.
        num_classes (int): Number C of classes.
        grid (Sequence[float]): Values of ``l2`` to choose from by
            :func:`choose_l2`.
        folds (int): Folds of its cross-validation. Defaults to 5.
        seed (int): Seed of the folds. Defaults to 0.
        say (Callable, optional): Is told what is fitted, how far it is and
            what was chosen. Defaults to None: nobody is.

    Returns:
        LinearProbe: The classifier of features that are not standardised.
    """
    start = time.monotonic()
    fits = len(grid) * folds + 1
    if say:
        say(
            f'Fitting {num_classes} classes on {len(labels)} features of '
            f'length {features.size(1)}: {len(grid)} values of L2 by '
            f'{folds}-fold cross-validation, then the best one on all, '
            f'{fits} fits.'
        )
    with (
        _threads_for(features),
        Progress(fits, 'Fitting', 'fits', say is not None, say) as progress,
    ):
        mean, std = standardise_(features)
        axes = principal_axes(features)
        task = features, labels, num_classes
        l2, scores = choose_l2(*task, grid, folds, seed, axes, progress.add)
        theta = fit_softmax_regression(*task, l2, spectrum=axes)
    if say:
        by = f'the strongest, as no class has {folds} images'
        if scores:
            tried = ', '.join(f'{k:g}: {v:.4f}' for k, v in scores.items())
            by = f'by macro F1 of {folds}-fold cross-validation inside '
            by += f'the training part ({tried})'
        took = duration(time.monotonic() - start)
        say(f'L2 {l2:g}, {by}. Fitted in {took}.')
    weight = theta[:-1] / std[:, None]
    return LinearProbe(weight.t(), theta[-1] - mean @ weight, l2, scores)


@contextmanager
def _threads_for(features: Tensor) -> Iterator[None]:
    """One thread where the features are few, then as many as before."""
    before = torch.get_num_threads()
    if features.numel() <= ONE_THREAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
