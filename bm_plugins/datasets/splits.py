"""Stratified splits that are the same everywhere."""

import math
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

from ..errors import InputError


def stratified_split(
    paths: Sequence[str],
    labels: Sequence[str],
    seed: int = 0,
    test_fraction: float = 0.2,
    val_fraction: float = 0.1,
    folds: int = 5,
) -> tuple[list[str], list[int | None]]:
    """Split each class into train, val and test, and into folds.

    A class is ordered by the SHA-256 of seed and file name, so the split
    depends on no file system, library or other file's name. The first
    ceil(test_fraction · n) are the test part, which gives the paper's test
    supports (2 ABE, 9 KSC, 10 FGC, 13 LYI); of the others,
    round(val_fraction · n) are the validation part. The folds are consecutive
    stretches of the same order, the larger first: with the defaults, fold 0
    is the test part.

    A class keeps at least one training image; one with a single image has no
    fold and always trains. A class with fewer images than folds is missing
    from the test part of the later folds.

    Args:
        paths (Sequence[str]): Paths (N,).
        labels (Sequence[str]): Class codes (N,).
        seed (int): Another seed, another split.
        test_fraction (float): Share of the test part.
        val_fraction (float): Share of the validation part.
        folds (int): Number of folds.

    Returns:
        tuple: ``train``, ``val`` or ``test`` (N,), and the fold (N,) or None.

    Raises:
        InputError: A fraction or the number of folds is out of range.
    """
    if not (
        0 <= test_fraction < 1
        and val_fraction >= 0
        and test_fraction + val_fraction < 1
    ):
        raise InputError(
            f'--test-fraction {test_fraction} and --val-fraction '
            f'{val_fraction}: expected 0 or more, together less than 1.'
        )
    if folds < 2:
        raise InputError(f'--folds {folds}: expected 2 or more.')
    members = defaultdict(list)
    for row, label in enumerate(labels):
        members[label].append(row)
    split, fold_of = ['train'] * len(paths), [None] * len(paths)
    for rows in members.values():
        n = len(rows)
        if n == 1:
            continue

        rows.sort(key=lambda row: _rank(f'{seed}', paths[row]))
        # 0.2 * 65 is a little over 13 in floating point.
        test = min(math.ceil(round(test_fraction * n, 9)), n - 1)
        val = min(round(val_fraction * n), n - test - 1)
        # Another order, so that each fold has its share of them.
        rest = sorted(
            rows[test:], key=lambda row: _rank(f'{seed}:val', paths[row])
        )
        for row in rows[:test]:
            split[row] = 'test'
        for row in rest[:val]:
            split[row] = 'val'
        start = 0
        for fold in range(folds):
            end = start + n // folds + (fold < n % folds)
            for row in rows[start:end]:
                fold_of[row] = fold
            start = end
    return split, fold_of


def _rank(seed: str, path: str) -> tuple[str, str]:
    """Where a file stands in a random order."""
    name = path.rpartition('/')[2]
    return sha256(f'{seed}:{name}'.encode()).hexdigest(), path
