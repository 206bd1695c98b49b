"""The scores over a test: what tables call them, and those of one's own."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from bm_plugins.errors import InputError

Function = Callable[[np.ndarray], np.ndarray]


class Score(NamedTuple):
    """A score over a test.

    Attributes:
        title (str): What tables call it; ``{}`` stands for the least support.
        function (Callable, optional): From confusion matrices (..., C, C),
            true classes in rows, to values (...). None: the package's own.
        least (float): The lowest that it can be; the highest is 1.
    """

    title: str
    function: Function | None = None
    least: float = 0.0


SCORES = {
    'accuracy': Score('accuracy'),
    'tolerant_accuracy': Score('accuracy, tolerant'),
    'balanced_accuracy': Score('balanced accuracy'),
    'macro_precision': Score('macro precision'),
    'macro_recall': Score('macro recall'),
    'macro_f1': Score('macro F1'),
    'macro_f1_min_support': Score('macro F1, n ≥ {}'),
    'tolerant_macro_f1': Score('macro F1, tolerant'),
    'weighted_precision': Score('weighted precision'),
    'weighted_recall': Score('weighted recall'),
    'weighted_f1': Score('weighted F1'),
    'head_f1': Score('mean F1, most training images'),
    'middle_f1': Score('mean F1, middle third'),
    'tail_f1': Score('mean F1, fewest'),
    'calibration_error': Score('expected calibration error'),
}
# Those that a short table has.
MAIN = ('accuracy', 'balanced_accuracy', 'macro_f1', 'macro_f1_min_support')


def add_score(
    name: str, title: str, least: float = 0.0
) -> Callable[[Function], Function]:
    """Decorator: put a score of one's own into every table.

    Args:
        name (str): In ``figures.csv`` and the log, as ``kappa``.
        title (str): What tables call it.
        least (float): The lowest that it can be. Defaults to 0.

    Raises:
        InputError: The name is one of the package's own, or the function does
            not give one value a confusion matrix.
    """

    def add(function: Function) -> Function:
        if name in SCORES and not SCORES[name].function:
            raise InputError(f'score {name}: there is one; rename yours.')
        shape = np.shape(function(np.ones((2, 4, 3, 3), int)))
        if shape != (2, 4):
            raise InputError(
                f'score {name}: of confusion matrices (2, 4, 3, 3) it gives '
                f'values of shape {shape}, expected (2, 4): sum over the last '
                'two axes, as matrix.sum((-2, -1)).'
            )
        SCORES[name] = Score(title, function, least)
        return function

    return add


def own_scores(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """The scores that were added, (...) each, of matrices (..., C, C)."""
    return {
        name: score.function(matrix)
        for name, score in SCORES.items()
        if score.function
    }


def titles(names: Iterable[str], min_support: int) -> dict[str, str]:
    """What a table calls some scores, and all that were added."""
    own = [name for name, score in SCORES.items() if score.function]
    return {
        name: SCORES[name].title.format(min_support) for name in (*names, *own)
    }


def least(name: str) -> float:
    """The lowest that a score can be; the highest is 1."""
    return SCORES[name].least if name in SCORES else 0.0
