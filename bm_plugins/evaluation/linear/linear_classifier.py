"""Softmax regression on frozen features."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from bm_plugins.evaluation.functional.confusion import (
    confusion_matrix,
    per_class_scores,
)

from .principal_axes import Spectrum, principal_axes
from .softmax_fits import SoftmaxFits
from .softmax_objective import (
    SoftmaxObjective,
    check_class_weight,
    weights_of_classes,
)

# Of L2, to go on by beyond a grid's edge.
DECADES = tuple(float(f'1e{k}') for k in range(-8, 3))


def weighted_axes(
    features: Tensor, labels: Tensor, class_weight: str | None
) -> Spectrum:
    """Principal axes of the features, their classes weighted as in the loss.

    Along them the Hessian is nearest to diagonal.

    Args:
        features (Tensor): (N, D).
        labels (Tensor): (N,) int64.
        class_weight (str, optional): As for :class:`SoftmaxObjective`.
    """
    check_class_weight(class_weight)
    if class_weight is None:
        return principal_axes(features)
    counts = labels.bincount().double()
    weights = weights_of_classes(counts, class_weight)
    return principal_axes(features, weights[labels])


def fit_softmax_regression(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    l2: float,
    start: Tensor | None = None,
    tolerance: float = 1e-6,
    spectrum: Spectrum | None = None,
    class_weight: str | None = 'balanced',
) -> Tensor:
    """Minimise the mean cross-entropy plus ``l2`` / 2 times the weights' norm.

    The mean is weighted by class. The paper's equation 2, y = softmax(W x +
    b), by preconditioned L-BFGS: convex, so the result is the same on any
    machine up to rounding. A class without a sample is left out of it and gets
    weights 0 and bias -10,000.

    Args:
        features (Tensor): (N, D).
        labels (Tensor): (N,) int64.
        num_classes (int): Number C of classes.
        l2 (float): Weight of the squared norm of W; b is free.
        start (Tensor, optional): (D + 1, C), where to start. Defaults to
            W = 0 and b = the logarithm of the classes' shares.
        tolerance (float): Greatest gradient at which to stop. Defaults to
            1e-6.
        spectrum (Spectrum, optional): :func:`weighted_axes` of the features,
            where known. Defaults to None: they are computed.
        class_weight (str, optional): As for :class:`SoftmaxObjective`.

    Returns:
        Tensor: (D + 1, C) float64, W transposed over b.
    """
    present, labels = labels.unique(return_inverse=True)
    spectrum = spectrum or weighted_axes(features, labels, class_weight)
    objective = SoftmaxObjective(
        features, labels, spectrum, class_weight=class_weight
    )
    if start is not None:
        start = start[None, :, present]
    fits = SoftmaxFits(objective, start)
    fits.minimise(l2, tolerance)
    whole = fits.thetas.new_zeros(features.size(1) + 1, num_classes)
    whole[-1] = -1e4  # finite in half precision too
    whole[:, present] = fits.thetas[0]
    return whole


def choose_l2(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    grid: Sequence[float],
    folds: int,
    seed: int,
    spectrum: Spectrum | None = None,
    fitted: Callable[[int], object] | None = None,
    class_weight: str | None = 'balanced',
    widen: bool = False,
) -> tuple[float, dict[float, float]]:
    """Choose the regularisation inside the training part.

    Stratified cross-validation; the macro F1 of the pooled held-out
    predictions decides, and the stronger regularisation among equals. A class
    of fewer images than folds stays in training throughout. Beyond the grid a
    value must be better than those before it.

    Args:
        features (Tensor): (N, D) of the training part.
        labels (Tensor): (N,) int64.
        num_classes (int): Number of classes.
        grid (Sequence[float]): Values of ``l2`` to try.
        folds (int): Number of folds.
        seed (int): Seed of the folds.
        spectrum (Spectrum, optional): :func:`weighted_axes` of the features,
            where known. Defaults to None: they are computed.
        fitted (Callable, optional): Is told the number of fits after each
            ``l2``. Defaults to None: nobody is.
        class_weight (str, optional): As for :class:`SoftmaxObjective`.
        widen (bool): Go on beyond the grid, from 1e-8 to 100 at most, while
            the best value is at the edge. Defaults to False.

    Returns:
        tuple: The chosen ``l2``, and the macro F1 by ``l2``; the strongest
        and an empty dict where no class reaches ``folds`` images.
    """
    grid = sorted(grid, reverse=True)
    fold_of = torch.as_tensor(
        _stratified_folds(labels.cpu().numpy(), folds, seed)
    ).to(labels.device)
    held_out = fold_of >= 0
    if not held_out.any():
        return grid[0], {}
    known, indices = labels.unique(return_inverse=True)
    spectrum = spectrum or weighted_axes(features, labels, class_weight)
    objective = SoftmaxObjective(
        features, indices, spectrum, fold_of, class_weight
    )
    fits = SoftmaxFits(objective)
    truth = labels[held_out].cpu().numpy()
    present = np.unique(truth)
    scores = {}

    def score(fits: SoftmaxFits, l2: float) -> None:
        fits.minimise(l2, 1e-4)  # near enough to choose by, and far quicker
        predicted = known[fits.held_out_predictions()][held_out]
        matrix = confusion_matrix(truth, predicted.cpu().numpy(), num_classes)
        scores[l2] = float(per_class_scores(matrix).f1[present].mean())
        if fitted:
            fitted(folds)

    for l2 in grid:  # from strong to weak, each from the one before
        score(fits, l2)
        if l2 == grid[0]:
            strongest = fits.thetas
    best = max(grid, key=scores.get)
    beyond = ()
    if widen and best == grid[0]:
        beyond = [l2 for l2 in DECADES if l2 > best]
        fits = SoftmaxFits(objective, strongest)
    elif widen and best == grid[-1]:
        beyond = [l2 for l2 in DECADES[::-1] if l2 < best]
    for l2 in beyond:
        score(fits, l2)
        if scores[l2] <= scores[best]:
            break
        best = l2
    return best, scores


def _stratified_folds(labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of each sample (N,); -1 where its class has too few."""
    rng = np.random.default_rng(seed)
    fold_of = np.full(len(labels), -1)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        if len(rows) >= folds:
            fold_of[rows] = np.arange(len(rows)) % folds
    return fold_of
