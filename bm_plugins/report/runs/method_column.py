"""A column of the report's tables: a tested run, or the folds of one."""

import json
import shlex
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.confusion import (
    averages,
    confusion_matrix,
)
from bm_plugins.evaluation.functional.intervals import (
    bootstrap_matrices,
    fold_interval,
    percentile_interval,
)
from bm_plugins.evaluation.functional.known_scores import least
from bm_plugins.evaluation.metrics.scores import mean_recall_ends
from bm_plugins.utils.config_text import parse_config

from .folds import FOLDS, SUMMARY, read_protocol
from .run_folder import read_run, read_table

METRICS = ('precision', 'recall', 'f1')
KINDS = {
    'supervised': 'supervised',
    'linear': 'linear classifier on frozen features',
    'neighbours': 'k-NN on frozen features',
    '': 'how it was trained is not recorded, so it is in each table',
}


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
        kind (str): One of ``KINDS``; ``''`` where it is not recorded.
        protocol (str): How it classifies and how the test images were chosen.
        names (dict[str, str]): Full name of each class code.
        support (dict[str, int]): Test images of each class that has any.
        cells (dict): Cell of each ``(metric, code)``, and of the averages
            ``(macro_f1, all)`` and so on.
        common (dict): Cell of each metric, over the wanted classes alone.
    """

    name: str
    kind: str
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
        figure = run.figures.get((f'macro_{metric}', 'all'))
        if figure and wanted.sum() == figure.classes:  # all that were tested
            common[metric] = Cell(figure.value, figure.low, figure.high)
            continue
        key = f'macro_{metric}_min_support'
        value = float(averages(matrix, 0, wanted)[key])
        ends: Sequence[float] = (nan, nan)
        if wanted.any():
            ends = percentile_interval(averages(draws, 0, wanted)[key])
            if metric == 'recall':  # as in the rows beside it
                ends = mean_recall_ends(ends, matrix, wanted)
        common[metric] = Cell(value, *map(float, ends))
    kind, what = kind_of(folder)
    if run.classifier:
        what += f', {run.classifier}'
    return Method(
        name,
        kind,
        f'{run.protocol}; {len(run.labels)} test images; {what}',
        dict(zip(run.codes, run.names, strict=True)),
        {c: int(n) for c, n in zip(run.codes, sizes, strict=True) if n},
        {key: Cell(f.value, f.low, f.high) for key, f in run.figures.items()},
        common,
    )


def kind_of(folder: Path) -> tuple[str, str]:
    """What kind of method left a run's folder, as its record says.

    Returns:
        tuple[str, str]: One of ``KINDS``, and what to print.
    """
    try:
        if (folder / 'run_test.json').is_file():
            record = json.loads((folder / 'run_test.json').read_text())
            config = parse_config(record['config']['text'])
            kind = 'linear' if _is_frozen(config) else 'supervised'
            start = '' if record['checkpoint'] else 'untrained network, '
            return kind, start + KINDS[kind]
        record = json.loads((folder / 'run.json').read_text())
        script, *args = shlex.split(record['command'])
        if script.endswith('evaluate_features.py'):
            knn = any(arg.startswith('--k') for arg in args)
            kind = 'neighbours' if knn else 'linear'
            return kind, KINDS[kind]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # of an older version, or damaged
    return '', KINDS['']


def _is_frozen(config: dict) -> bool:
    """Whether nothing but the classifier was fitted to labels."""
    test = config.get('test_cfg') or {}
    backbone = config['model']['backbone']
    # linear_sgd_*.py; other backbones count layers, not stages.
    is_resnet = backbone['type'].startswith('ResNe')
    stages = backbone.get('num_stages', 4)
    frozen = is_resnet and backbone.get('frozen_stages', -1) >= stages
    return test.get('type') == 'LinearProbeLoop' or frozen


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
    kind, what = kind_of(folder / 'fold_0' / 'test')
    files = sorted(folder.glob('fold_*/test/figures.csv'))
    ways = dict.fromkeys(read_table(f)[0].get('classifier') for f in files)
    if any(ways):
        what += f', {"; ".join(way or "not recorded" for way in ways)}'
    return Method(
        name,
        kind,
        f'{read_protocol(folder)}; {total} test images in all; {what}',
        names,
        dict(support),
        {key: _over_folds(v, least(key[0])) for key, v in values.items()},
        common,
    )


def _over_folds(values: list[float], lowest: float = 0) -> Cell:
    if not values:
        return Cell(nan)
    std = float(np.std(values, ddof=1)) if len(values) > 1 else nan
    ends = map(float, fold_interval(values).clip(lowest, 1))
    return Cell(float(np.mean(values)), *ends, std)
