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
) -> Tensor:
    """Minimise the mean cross-entropy plus ``l2`` / 2 times the weights' norm.

    The paper's equation 2, y = softmax(W x + b), by L-BFGS in float64: convex,
    so the result is the same on any machine up to rounding.

    Args:
        features (Tensor): (N, D).
        labels (Tensor): (N,) int64.
        num_classes (int): Number C of classes.
        l2 (float): Weight of the squared norm of W; b is free.
        start (Tensor, optional): (D + 1, C), where to start. Defaults to 0.

    Returns:
        Tensor: (D + 1, C) float64, W transposed over b.
    """
    x = features.double()
    shape = (x.size(1) + 1, num_classes)
    theta = x.new_zeros(shape) if start is None else start.clone()
    theta.requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [theta],
        max_iter=1000,
        tolerance_grad=1e-6,
        tolerance_change=1e-10,
        history_size=20,
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
    return theta.detach()


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
            theta = fit_softmax_regression(
                features[train], labels[train], num_classes, l2, theta
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
