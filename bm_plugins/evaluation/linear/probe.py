"""A linear classifier of frozen features, regularisation included."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bm_plugins.evaluation.functional.confusion import (
    confusion_matrix,
    per_class_scores,
)
from bm_plugins.utils.progress import Progress, duration

from .objective import SoftmaxObjective, check_class_weight, weighted_axes
from .preprocessing import Spectrum, standardise_
from .solver import SoftmaxFits

# Of L2, to go on by beyond a grid's edge.
DECADES = tuple(float(f'1e{k}') for k in range(-8, 3))
GRID = (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5)
# Up to here a fit takes seconds on one thread, and several that wait for
# each other on a busy machine take minutes: 1,166 x 128 features of 15
# classes 1.5 s on one thread and 7.7 s on two, 4,000 x 512 4.5 s and 25 s.
ONE_THREAD = 2**22


def fit_softmax_regression(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    l2: float,
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
    fits = SoftmaxFits(objective)
    fits.minimise(l2, tolerance=1e-6)
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


class LinearProbe(NamedTuple):
    """A fitted classifier of features as they are.

    Attributes:
        weight, bias (Tensor): (C, D) and (C,), float64.
        l2 (float): The chosen regularisation, of standardised features.
        scores (dict[float, float]): Macro F1 by ``l2``, in the order tried.
        class_weight (str or None): As it was fitted.
        folds (int): Of the cross-validation.
    """

    weight: Tensor
    bias: Tensor
    l2: float
    scores: dict[float, float]
    class_weight: str | None
    folds: int

    @property
    def at_edge(self) -> str:
        """``'strongest'`` or ``'weakest'`` of several that were tried."""
        if len(self.scores) < 2:
            return ''
        ends = {max(self.scores): 'strongest', min(self.scores): 'weakest'}
        return ends.get(self.l2, '')

    @property
    def facts(self) -> dict[str, str | float | None]:
        """How it was fitted, for a run's record."""
        return dict(text=self.text, class_weight=self.class_weight, l2=self.l2)

    @property
    def text(self) -> str:
        """How it was fitted, on a line."""
        text = 'class-balanced' if self.class_weight else 'unweighted'
        text += f' cross-entropy, L2 {self.l2:g}'
        if not self.scores:
            few = f'no class has {self.folds} images'
            return f'{text}, the strongest, as {few}'
        if len(self.scores) == 1:
            return f'{text} as given'
        text += f' by macro F1 of {self.folds}-fold cross-validation'
        return text + (f', the {self.at_edge} tried' if self.at_edge else '')


def fit_linear_probe(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    grid: Sequence[float] | None = None,
    folds: int = 5,
    seed: int = 0,
    say: Callable[[str], object] | None = None,
    class_weight: str | None = 'balanced',
) -> LinearProbe:
    """Standardise, choose the regularisation, fit.

    On one thread where the features are few.

    Args:
        features (Tensor): (N, D), overwritten: there may not be room for two.
        labels (Tensor): (N,) int64.
        num_classes (int): Number C of classes.
        grid (Sequence[float], optional): Values of ``l2`` to choose from by
            :func:`choose_l2`. Defaults to None: ``GRID``, and beyond it where
            the best is at its edge.
        folds (int): Folds of its cross-validation. Defaults to 5.
        seed (int): Seed of the folds. Defaults to 0.
        say (Callable, optional): Is told what is fitted, how far it is and
            what was chosen. Defaults to None: nobody is.
        class_weight (str, optional): ``'balanced'``, each class of the same
            weight in the loss, or None, each sample, which takes the classes'
            shares for those to come. Defaults to ``'balanced'``.

    Returns:
        LinearProbe: The classifier of features that are not standardised.

    Raises:
        InputError: ``class_weight`` is neither, or a feature is not finite.
    """
    check_class_weight(class_weight)
    start = time.monotonic()
    given, grid = bool(grid), grid or GRID
    fits = len(grid) * folds + 1
    loss = 'class-balanced' if class_weight else 'unweighted'
    if say:
        say(
            f'Fitting {num_classes} classes on {len(labels)} features of '
            f'length {features.size(1)} by {loss} cross-entropy: {len(grid)} '
            f'values of L2 by {folds}-fold cross-validation, then the best '
            f'one on all, {fits} fits.'
        )
    with (
        threads_for(features),
        Progress(fits, 'Fitting', 'fits', say is not None, say) as progress,
    ):
        mean, std = standardise_(features)
        axes = weighted_axes(features, labels, class_weight)
        task = features, labels, num_classes

        def fitted(number: int) -> None:
            progress.add(number)
            progress.total = max(fits, progress.done + 1)  # beyond the grid

        l2, scores = choose_l2(
            *(*task, grid, folds, seed, axes, fitted, class_weight),
            widen=not given,
        )
        theta = fit_softmax_regression(
            *task, l2, spectrum=axes, class_weight=class_weight
        )
    weight = theta[:-1] / std[:, None]
    probe = LinearProbe(
        *(weight.t(), theta[-1] - mean @ weight, l2, scores),
        *(class_weight, folds),
    )
    if say:
        _say_chosen(probe, grid, given, say)
        say(f'Fitted in {duration(time.monotonic() - start)}.')
    return probe


def _say_chosen(
    probe: LinearProbe,
    grid: Sequence[float],
    given: bool,
    say: Callable[[str], object],
) -> None:
    line = f'Chosen: {probe.text}'
    if probe.scores:
        tried = ', '.join(f'{k:g}: {v:.4f}' for k, v in probe.scores.items())
        line += f', inside the training part ({tried})'
    say(f'{line}.')
    if len(probe.scores) > len(grid):
        say(
            'The best of the usual values of L2 was at their edge: those '
            'beyond it were tried, too.'
        )
    if probe.at_edge:
        advice = (
            'give a wider list, test_cfg.l2'
            if given
            else 'none beyond it are tried'
        )
        say(
            f'Warning: L2 {probe.l2:g} is the {probe.at_edge} of those '
            f'tried, so that the best may lie beyond: {advice}.'
        )


@contextmanager
def threads_for(features: Tensor) -> Iterator[None]:
    """One thread where the features are few, then as many as before."""
    before = torch.get_num_threads()
    if features.numel() <= ONE_THREAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
