"""Softmax regression on frozen features."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from .per_class import confusion_matrix, per_class_scores
from .principal_axes import Spectrum, principal_axes
from .softmax_fits import SoftmaxFits
from .softmax_objective import SoftmaxObjective


def fit_softmax_regression(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    l2: float,
    start: Tensor | None = None,
    tolerance: float = 1e-6,
    spectrum: Spectrum | None = None,
) -> Tensor:
    """Minimise the mean cross-entropy plus ``l2`` / 2 times the weights' norm.

    The paper's equation 2, y = softmax(W x + b), by preconditioned L-BFGS:
    convex, so the result is the same on any machine up to rounding. A class
    without a sample is left out of it and gets weights 0 and bias -10,000.

    Args:
        features (Tensor): (N, D).
        labels (Tensor): (N,) int64.
        num_classes (int): Number C of classes.
        l2 (float): Weight of the squared norm of W; b is free.
        start (Tensor, optional): (D + 1, C), where to start. Defaults to
            W = 0 and b = the logarithm of the class frequencies.
        tolerance (float): Greatest gradient at which to stop. Defaults to
            1e-6.
        spectrum (Spectrum, optional): :func:`principal_axes` of the features,
            where known. Defaults to None: they are computed.

    Returns:
        Tensor: (D + 1, C) float64, W transposed over b.
    """
    present, labels = labels.unique(return_inverse=True)
    spectrum = spectrum or principal_axes(features)
    objective = SoftmaxObjective(features, labels, spectrum)
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
) -> tuple[float, dict[float, float]]:
    """Choose the regularisation inside the training part.

    Stratified cross-validation; the macro F1 of the pooled held-out
    predictions decides, and the stronger regularisation among equals. A class
    of fewer images than folds stays in training throughout.

    Args:
        features (Tensor): (N, D) of the training part.
        labels (Tensor): (N,) int64.
        num_classes (int): Number of classes.
        grid (Sequence[float]): Values of ``l2`` to try.
        folds (int): Number of folds.
        seed (int): Seed of the folds.
        spectrum (Spectrum, optional): :func:`principal_axes` of the features,
            where known. Defaults to None: they are computed.
        fitted (Callable, optional): Is told the number of fits after each
            ``l2``. Defaults to None: nobody is.

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
    spectrum = spectrum or principal_axes(features)
    objective = SoftmaxObjective(features, indices, spectrum, fold_of)
    fits = SoftmaxFits(objective)
    predictions = {}
    for l2 in grid:  # from strong to weak, each from the one before
        fits.minimise(l2, 1e-4)  # near enough to choose by, and far quicker
        predictions[l2] = known[fits.held_out_predictions()]
        if fitted:
            fitted(folds)
    truth = labels[held_out].cpu().numpy()
    present = np.unique(truth)
    scores = {}
    for l2 in grid:
        predicted = predictions[l2][held_out].cpu().numpy()
        matrix = confusion_matrix(truth, predicted, num_classes)
        scores[l2] = float(per_class_scores(matrix).f1[present].mean())
    return max(grid, key=lambda l2: scores[l2]), scores


def _stratified_folds(labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of each sample (N,); -1 where its class has too few."""
    rng = np.random.default_rng(seed)
    fold_of = np.full(len(labels), -1)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        if len(rows) >= folds:
            fold_of[rows] = np.arange(len(rows)) % folds
    return fold_of
