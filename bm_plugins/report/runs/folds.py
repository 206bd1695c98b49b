"""The scores of all folds of a cross-validation together."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.intervals import fold_interval
from bm_plugins.utils.csv_file import write_csv
from bm_plugins.utils.files import atomic_write

from .run_folder import Run

SUMMARY = 'summary.csv'
FOLDS = 'folds.csv'
PROTOCOL = 'protocol.json'


@dataclass(frozen=True)
class FoldScore:
    """A score over the folds.

    Attributes:
        score (str): Its name, as ``recall`` or ``macro_f1``.
        of (str): The class's code, or ``all``.
        values (tuple[float, ...]): One a fold with test images for it.
    """

    score: str
    of: str
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.values))

    @property
    def std(self) -> float:
        """Standard deviation over the folds, ddof 1; NaN for one."""
        if len(self.values) < 2:
            return float('nan')
        return float(np.std(self.values, ddof=1))

    def __str__(self) -> str:
        text = f'{self.mean:.3f}'
        if len(self.values) > 1:
            low, high = fold_interval(self.values).clip(0, 1)
            text += f' ± {self.std:.3f} [{low:.3f}, {high:.3f}]'
        return text


def fold_scores(runs: Sequence[Run]) -> list[FoldScore]:
    """Each score of the runs, one run a fold.

    Args:
        runs (Sequence[Run]): The tested folds.

    Returns:
        list[FoldScore]: Class by class, then over the test.

    Raises:
        InputError: A test image is in two folds, or the classes differ.
    """
    seen: dict[str, Path] = {}
    for run in runs:
        if run.codes != runs[0].codes:
            raise InputError(
                f'{run.folder}: its classes are not those of '
                f'{runs[0].folder}. Run the folds with one config.'
            )
        for path in run.paths:
            if path in seen:
                raise InputError(
                    f'{run.folder}: {path} is a test image of '
                    f'{seen[path]} too. Each fold needs its own.'
                )
            seen[path] = run.folder
    keys = dict.fromkeys(key for run in runs for key in run.figures)
    order = {code: i for i, code in enumerate([*runs[0].codes, 'all'])}
    return [
        FoldScore(
            *key,
            tuple(r.figures[key].value for r in runs if key in r.figures),
        )
        for key in sorted(keys, key=lambda key: order[key[1]])
    ]


def write_folds(runs: Sequence[Run], folder: Path, protocol: str) -> None:
    """Write ``summary.csv`` and ``folds.csv``, and note the protocol.

    Args:
        runs (Sequence[Run]): The tested folds, the first fold first.
        folder (Path): Where to.
        protocol (str): How the folds were made and what pretraining saw.
    """
    scores = fold_scores(runs)
    names = dict(zip(runs[0].codes, runs[0].names, strict=True))
    names['all'] = 'all classes'
    write_csv(
        folder / SUMMARY,
        ('code', 'name', 'metric', 'mean', 'std', 'folds'),
        (
            (
                s.of,
                names[s.of],
                s.score,
                f'{s.mean:.6f}',
                f'{s.std:.6f}' if len(s.values) > 1 else '',
                len(s.values),
            )
            for s in scores
        ),
    )
    write_csv(
        folder / FOLDS,
        ('fold', 'code', 'metric', 'n', 'value'),
        (
            (fold, f.of, f.score, f.n, f'{f.value:.6f}')
            for fold, run in enumerate(runs)
            for f in run.figures.values()
        ),
    )
    with atomic_write(folder / PROTOCOL) as partial:
        partial.write_text(json.dumps({'protocol': protocol}) + '\n')


def read_protocol(folder: Path) -> str:
    """The protocol that :func:`write_folds` noted."""
    return json.loads((folder / PROTOCOL).read_text())['protocol']
