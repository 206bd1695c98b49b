"""What tools/test.py left in a run's folder."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bm_plugins.errors import InputError, listed
from bm_plugins.evaluation.metrics.scores import Figure


@dataclass(frozen=True)
class Run:
    """A tested model's predictions and figures.

    Attributes:
        folder (Path): Where they came from.
        codes, names (tuple[str, ...]): Of the classes (C,).
        paths (list[str]): Test images (N,), sorted.
        labels (np.ndarray): True class indices (N,).
        scores (np.ndarray): Probabilities (N, C).
        figures (dict): As :func:`figures_of` gave them.
        protocol (str): How the test images were chosen.
        classifier (str): How a linear evaluation fitted its classifier; ``''``
            where that is not recorded, or the network was trained with it.
    """

    folder: Path
    codes: tuple[str, ...]
    names: tuple[str, ...]
    paths: list[str]
    labels: np.ndarray
    scores: np.ndarray
    figures: dict[tuple[str, str], Figure]
    protocol: str
    classifier: str = ''

    @property
    def predictions(self) -> np.ndarray:
        """Predicted class indices (N,)."""
        return self.scores.argmax(1)


def read_run(folder: str | Path) -> Run:
    """Read the CSV files of a run, the ``--work-dir`` of ``tools/test.py``.

    Raises:
        InputError: A file is missing, empty, or not as it was written.
    """
    folder = Path(folder)
    rows = read_table(folder / 'predictions.csv')
    codes = tuple(key[2:] for key in rows[0] if key.startswith('p_'))
    index = {code: i for i, code in enumerate(codes)}
    rows.sort(key=lambda row: row['path'])
    try:
        labels = np.array([index[row['label']] for row in rows])
        scores = np.array(
            [[float(row[f'p_{code}']) for code in codes] for row in rows]
        )
        figures = {}
        for row in read_table(folder / 'figures.csv'):
            protocol = row.pop('protocol')
            classifier = row.pop('classifier', '')  # not of older versions
            for key, kind in Figure.__annotations__.items():
                row[key] = kind(row[key])
            figures[row['score'], row['of']] = Figure(**row)
        names = {
            row['code']: row['name']
            for row in read_table(folder / 'per_class.csv')
        }
        return Run(
            folder,
            codes,
            tuple(names[code] for code in codes),
            [row['path'] for row in rows],
            labels,
            scores,
            figures,
            protocol,
            classifier,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f'{folder}: its CSV files are not as tools/test.py writes them '
            f'({type(error).__name__}: {error}). Test the checkpoint again.'
        ) from error


def read_table(file: Path) -> list[dict[str, str]]:
    """Rows of a CSV file.

    Raises:
        InputError: It is missing or has no rows.
    """
    if not file.is_file():
        raise InputError(
            f'{file} does not exist; give the --work-dir of tools/test.py.'
        )
    with open(file, newline='', encoding='utf-8') as stream:
        rows = list(csv.DictReader(stream))
    if not rows:
        raise InputError(f'{file} has no rows. Test the checkpoint again.')
    return rows


def classifiers_of(runs: Sequence[Run]) -> str:
    """How the runs' linear classifiers were fitted, each way once."""
    ways = dict.fromkeys(run.classifier for run in runs)
    if not any(ways):
        return ''
    return '; '.join(way or 'not recorded' for way in ways)


def check_same_test(runs: list[Run]) -> None:
    """Runs must be of the same classes, test images and labels.

    Raises:
        InputError: They are not; the message names a run and what differs.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.codes != first.codes:
            what = f'its classes are {" ".join(run.codes)}, not those'
        elif run.paths != first.paths:
            other = sorted({*run.paths} ^ {*first.paths})
            what = f'its test images ({listed(other)}) are not those'
        elif (run.labels != first.labels).any():
            row = int(np.flatnonzero(run.labels != first.labels)[0])
            what = f'the label of {run.paths[row]} is not that'
        else:
            continue
        raise InputError(
            f'{run.folder}: {what} of {first.folder}. Compare runs on the '
            'same manifest and fold.'
        )
