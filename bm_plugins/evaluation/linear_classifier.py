"""Softmax regression on frozen features."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .per_class import confusion_matrix, per_class_scores


def fit_softmax_regression(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    l2: float,
    start: Tensor | None = None,
    tolerance: float = 1e-6,
) -> Tensor:
    """Minimise the mean cross-entropy plus ``l2`` / 2 times the weights' norm.

    The paper's equation 2, y = softmax(W x + b), by L-BFGS in float64: convex,
    so the result is the same on any machine up to rounding. A class without
    a sample is left out of it and gets weights 0 and bias -10,000.

    Args:
        features (Tensor): (N, D).
        labels (Tensor): (N,) int64.
        num_classes (int): Number C of classes.
        l2 (float): Weight of the squared norm of W; b is free.
        start (Tensor, optional): (D + 1, C), where to start. Defaults to
            W = 0 and b = the logarithm of the class frequencies.
        tolerance (float): Greatest gradient at which to stop. Defaults to
            1e-6.

    Returns:
        Tensor: (D + 1, C) float64, W transposed over b.
    """
    x = features.double()
    present, labels, counts = labels.unique(
        return_inverse=True, return_counts=True
    )
    if start is None:
        theta = x.new_zeros(x.size(1) + 1, len(present))
        theta[-1] = counts.double().log()
    else:
        theta = start[:, present].clone()
    theta.requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [theta],
        max_iter=2000,
        tolerance_grad=tolerance,
        tolerance_change=0,
        history_size=10,
        line_search_fn='strong_wolfe',
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        logits = torch.addmm(theta[-1], x, theta[:-1])
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss = loss + l2 / 2 * theta[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(objective)
    whole = x.new_zeros(x.size(1) + 1, num_classes)
    whole[-1] = -1e4  # finite in half precision too
    whole[:, present] = theta.detach()
    return whole


def choose_l2(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    grid: Sequence[float],
    folds: int,
    seed: int,
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
    predictions = {l2: torch.full_like(labels, -1) for l2 in grid}
    for fold in range(folds):
        train = fold_of != fold
        theta = None
        for l2 in grid:  # from strong to weak, each from the one before
            # Near enough to choose by, and far quicker.
            theta = fit_softmax_regression(
                features[train], labels[train], num_classes, l2, theta, 1e-4
            )
            logits = features[~train].double() @ theta[:-1] + theta[-1]
            predictions[l2][~train] = logits.argmax(1)
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
