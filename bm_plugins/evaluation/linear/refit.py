"""A linear classifier that learns from more samples and forgets little."""

from typing import NamedTuple

import numpy as np
import torch

from .objective import SoftmaxObjective, weighted_axes
from .preprocessing import standardise_
from .probe import threads_for
from .solver import SoftmaxFits


class Refit(NamedTuple):
    """A classifier of features as they are.

    Attributes:
        weight, bias (np.ndarray): (C, D) and (C,), float64.
        held_out (np.ndarray): Logits (M, C), float64, of the samples that a
            fold leaves out, by the fit without it.
    """

    weight: np.ndarray
    bias: np.ndarray
    held_out: np.ndarray


def refit_linear(
    weight: np.ndarray,
    bias: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    fold_of: np.ndarray,
    l2: float,
) -> Refit:
    """Change a classifier no more than the samples ask for.

    Minimises their class-balanced cross-entropy plus ``l2`` / 2 times the
    squared norm of the change of the weights (of standardised features): a
    normal prior whose mean is what was known, as Chelba and Acero 2004,
    "Adaptation of Maximum Entropy Capitalizer", and L2-SP of Li, Grandvalet
    and Davoine 2018 (arXiv:1802.01483). Biases are free, so that the
    classifier is that of equal shares of the classes, whatever it was before.

    Args:
        weight (np.ndarray): Of the classifier (C, D); 0 for a new class.
        bias (np.ndarray): (C,).
        features (np.ndarray): (N, D).
        labels (np.ndarray): (N,) int64. A class without a sample stays as it
            was.
        fold_of (np.ndarray): Fold that leaves a sample out (N,), int64; -1 of
            one that is in all fits.
        l2 (float): Weight of the squared norm.

    Raises:
        InputError: A feature is not finite.
    """
    x = torch.from_numpy(features.astype(np.float32))
    folds = torch.from_numpy(fold_of)
    old = torch.from_numpy(np.column_stack([weight, bias]).astype(float))
    offset = x.double() @ old[:, :-1].t() + old[:, -1]
    known, y = torch.from_numpy(labels).unique(return_inverse=True)
    with threads_for(x):
        mean, std = standardise_(x)
        axes = weighted_axes(x, y, 'balanced')
        found = []
        for left_out in (folds, None):
            objective = SoftmaxObjective(
                *(x, y, axes, left_out), offset=offset[:, known]
            )
            fits = SoftmaxFits(objective)
            fits.minimise(l2, 1e-6)
            found.append(fits.thetas)
    of_folds, (theta,) = found
    for fold, one in enumerate(of_folds):
        rows = (folds == fold).nonzero()
        offset[rows, known] += x[rows[:, 0]].double() @ one[:-1] + one[-1]
    change = theta[:-1] / std[:, None]
    old[known, :-1] += change.t()
    old[known, -1] += theta[-1] - mean @ change
    return Refit(
        old[:, :-1].numpy(), old[:, -1].numpy(), offset[folds >= 0].numpy()
    )
