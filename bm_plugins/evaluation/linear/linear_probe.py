"""A linear classifier of frozen features, regularisation included."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from bm_plugins.utils.progress import Progress, duration

from .linear_classifier import (
    choose_l2,
    fit_softmax_regression,
    weighted_axes,
)
from .softmax_objective import check_class_weight
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
        _threads_for(features),
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
def _threads_for(features: Tensor) -> Iterator[None]:
    """One thread where the features are few, then as many as before."""
    before = torch.get_num_threads()
    if features.numel() <= ONE_THREAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
