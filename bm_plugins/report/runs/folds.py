"""The scores of all folds of a cross-validation together."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.intervals import fold_interval
from bm_plugins.evaluation.functional.known_scores import least, titles
from bm_plugins.evaluation.metrics.scores import figures_of
from bm_plugins.utils.csv_file import write_csv
from bm_plugins.utils.files import atomic_write

from .run_folder import Run, classifiers_of

SUMMARY = 'summary.csv'
FOLDS = 'folds.csv'
PROTOCOL = 'protocol.json'
_MAIN = (
    *('accuracy', 'balanced_accuracy', 'macro_precision', 'macro_recall'),
    *('macro_f1', 'macro_f1_min_support', 'weighted_f1'),
)


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
            low, high = fold_interval(self.values).clip(least(self.score), 1)
            text += f' ± {self.std:.3f} [{low:.3f}, {high:.3f}]'
        return text


def fold_scores(runs: Sequence[Run]) -> list[FoldScore]:
    """Each score of the runs, one run a fold: by class, then over the test.

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


def folds_report(
    runs: Sequence[Run], protocol: str, min_support: int = 10
) -> str:
    """Means over the folds, and the scores of all predictions together."""
    by_key = {(s.score, s.of): s for s in fold_scores(runs)}
    pooled = figures_of(
        np.concatenate([run.labels for run in runs]),
        np.concatenate([run.scores for run in runs]),
        runs[0].codes,
        min_support,
    )
    sizes = ', '.join(str(len(run.paths)) for run in runs)
    fitted = classifiers_of(runs)
    lines = [
        f'{len(runs)} folds of {sizes} test images; protocol: {protocol}.',
        *([f'Linear classifier of each fold: {fitted}.'] if fitted else []),
        '',
        'Mean over the folds ± standard deviation (ddof 1), in brackets the '
        '95 % interval of the mean, widened for the training images that '
        'folds share (Nadeau and Bengio 2003). *Pooled*: the predictions of '
        'all folds as one test, with its 95 % interval over the images. n '
        'counts the test images of a fold, pooled those of all.',
        '',
        '| score | over the folds | pooled |',
        '|---|---|---|',
    ]
    for score, title in titles(_MAIN, min_support).items():
        if (score, 'all') in by_key.keys() & pooled.keys():
            cells = f'{by_key[score, "all"]} | {pooled[score, "all"]}'
            lines.append(f'| {title} | {cells} |')
    lines += [
        '',
        '| code | class | n | folds | precision | recall | F1 | F1, pooled |',
        '|---|---|---|---|---|---|---|---|',
    ]
    for code, name in zip(runs[0].codes, runs[0].names, strict=True):
        if ('f1', code) not in by_key:
            continue
        three = [by_key[m, code] for m in ('precision', 'recall', 'f1')]
        figure = pooled['f1', code]
        cells = ' | '.join(map(str, three))
        few = ' (few)' if figure.n < min_support else ''
        lines.append(
            f'| {code} | {name} | {figure.n}{few} | {len(three[2].values)} '
            f'| {cells} | {figure} |'
        )
    lines += [
        '',
        f'(few): fewer than {min_support} test images in all; the interval '
        'over the folds is that of their means, so that a narrow one says '
        'little there.',
    ]
    return '\n'.join(lines) + '\n'
