"""A column of the report's tables: a tested run, or the folds of one."""

from collections import defaultdict
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..evaluation.bootstrap import bootstrap_matrices
from ..evaluation.fold_interval import fold_interval
from ..evaluation.intervals import percentile_interval
from ..evaluation.per_class import averages, confusion_matrix
from .folds import FOLDS, SUMMARY, read_protocol
from .run_folder import read_run, read_table

METRICS = ('precision', 'recall', 'f1')


@dataclass(frozen=True)
class Cell:
    """A score, its 95 % interval and its standard deviation over folds."""

    value: float
    low: float = nan
    high: float = nan
    std: float = nan


@dataclass(frozen=True)
class Method:
    """Scores of a method.

    Attributes:
        name (str): For the head of its column.
        protocol (str): How the test images were chosen.
        names (dict[str, str]): Full name of each class code.
        support (dict[str, int]): Test images of each class that has any.
        cells (dict): Cell of each ``(metric, code)``, and of the averages
            ``(macro_f1, all)`` and so on.
        common (dict): Cell of each metric, over the wanted classes alone.
    """

    name: str
    protocol: str
    names: dict[str, str]
    support: dict[str, int]
    cells: dict[tuple[str, str], Cell]
    common: dict[str, Cell]


def read_method(
    folder: Path, name: str, over: tuple[str, ...] | None = None
) -> Method:
    """Read a run of ``tools/test.py`` or of ``tools/kfold.py``.

    Args:
        folder (Path): Its ``--work-dir``.
        name (str): For the head of its column.
        over (tuple[str, ...], optional): Classes of the ``common`` averages.
            Defaults to None: all that were tested.

    Raises:
        InputError: Files are missing or not as they were written.
    """
    if (folder / SUMMARY).is_file():
        return _read_folds(folder, name, over)
    run = read_run(folder)
    count = len(run.codes)
    sizes = np.bincount(run.labels, minlength=count)
    wanted = np.isin(run.codes, over or run.codes) & (sizes > 0)
    matrix = confusion_matrix(run.labels, run.predictions, count)
    draws = np.concatenate(
        [*bootstrap_matrices(run.labels, [run.predictions], count)], axis=1
    )[0]
    common = {}
    for metric in METRICS:
        key = f'macro_{metric}_min_support'
        value = float(averages(matrix, 0, wanted)[key])
        drawn = averages(draws, 0, wanted)[key]
        ends = (nan, nan)
        if wanted.any():
            ends = map(float, percentile_interval(drawn))
        common[metric] = Cell(value, *ends)
    return Method(
        name,
        f'{run.protocol}; {len(run.labels)} test images',
        dict(zip(run.codes, run.names, strict=True)),
        {c: int(n) for c, n in zip(run.codes, sizes, strict=True) if n},
        {key: Cell(f.value, f.low, f.high) for key, f in run.figures.items()},
        common,
    )


def _read_folds(
    folder: Path, name: str, over: tuple[str, ...] | None
) -> Method:
    names, support = {}, defaultdict(int)
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    by_fold: dict[tuple[str, str], list[float]] = defaultdict(list)
    total = 0
    try:
        for row in read_table(folder / SUMMARY):
            if row['code'] != 'all':
                names[row['code']] = row['name']
        for row in read_table(folder / FOLDS):
            metric, code = row['metric'], row['code']
            values[metric, code].append(float(row['value']))
            if metric == 'recall':
                support[code] += int(row['n'])
            if metric == 'accuracy':
                total += int(row['n'])
            if code in (over or names) and metric in METRICS:
                by_fold[metric, row['fold']].append(float(row['value']))
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f'{folder}: its CSV files are not as tools/kfold.py writes them '
            f'({type(error).__name__}: {error}). Run it again.'
        ) from error
    common = {
        metric: _over_folds(
            [np.mean(v) for (m, _), v in by_fold.items() if m == metric]
        )
        for metric in METRICS
    }
    return Method(
        name,
        f'{read_protocol(folder)}; {total} test images in all',
        names,
        dict(support),
        {key: _over_folds(v) for key, v in values.items()},
        common,
    )


def _over_folds(values: list[float]) -> Cell:
    if not values:
        return Cell(nan)
    std = float(np.std(values, ddof=1)) if len(values) > 1 else nan
    ends = map(float, fold_interval(values).clip(0, 1))
    return Cell(float(np.mean(values)), *ends, std)
