"""Test sets drawn again from the one there is."""

from collections.abc import Iterator, Sequence

import numpy as np

from bm_plugins.errors import InputError

from .intervals import percentile_interval


def bootstrap_matrices(
    labels: np.ndarray,
    runs: Sequence[np.ndarray],
    num_classes: int,
    replicates: int = 1000,
    seed: int = 0,
) -> Iterator[np.ndarray]:
    """Confusion matrices of runs on N test images drawn with replacement.

    The paired bootstrap (Efron and Tibshirani 1993, chapter 13): the same
    draw for every run. Images with the same label and predictions are one
    cell of a multinomial, so that a draw costs as much as there are cells.

    Args:
        labels (np.ndarray): True class indices (N,).
        runs (Sequence[np.ndarray]): Predicted indices (N,) of each run.
        num_classes (int): Number C of classes.
        replicates (int): Number R of draws. Defaults to 1000.
        seed (int): Seed of the draws. Defaults to 0.

    Yields:
        np.ndarray: (runs, r, C, C) int64, the r together R.

    Raises:
        InputError: The runs are not of the same images.
    """
    if any(len(run) != len(labels) for run in runs) or not len(labels):
        raise InputError(
            'the runs are of different numbers of test images, or of none: '
            f'{[len(run) for run in runs]} for {len(labels)} labels.'
        )
    cells, counts = _count_cells([labels, *runs], num_classes)
    pairs = cells[:, :1] * num_classes + cells[:, 1:]
    rng = np.random.default_rng(seed)
    share = counts / counts.sum()
    step = max(1, 4_000_000 // len(counts))  # to bound the memory
    for done in range(0, replicates, step):
        drawn = rng.multinomial(
            len(labels), share, min(step, replicates - done)
        )
        matrices = np.zeros(
            (len(runs), num_classes**2, len(drawn)), drawn.dtype
        )
        for run, pair in enumerate(pairs.T):
            np.add.at(matrices[run], pair, drawn.T)
        yield np.moveaxis(matrices, 1, 2).reshape(
            len(runs), len(drawn), num_classes, num_classes
        )


def bootstrap_means(
    values: np.ndarray, replicates: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of a mean.

    Args:
        values (np.ndarray): One value an image (N,).
        replicates (int): Number of draws. Defaults to 1000.
        seed (int): Seed of the draws. Defaults to 0.

    Returns:
        tuple[float, float]: Its ends.
    """
    rng, n = np.random.default_rng(seed), len(values)
    draws = np.array(
        [values[rng.integers(n, size=n)].mean() for _ in range(replicates)]
    )
    low, high = percentile_interval(draws)
    return float(low), float(high)


def _count_cells(
    columns: Sequence[np.ndarray], num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rows that occur, sorted, and how often.

    As ``np.unique`` of the rows, in linear time: after each column a row is
    known by the rank of what it holds so far.
    """
    rank = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        rank = rank * num_classes + column
        rank = ((np.bincount(rank) > 0).cumsum() - 1)[rank]
    counts = np.bincount(rank)
    cells = np.empty((len(counts), len(columns)), np.int64)
    for number, column in enumerate(columns):
        cells[rank, number] = column
    return cells, counts
