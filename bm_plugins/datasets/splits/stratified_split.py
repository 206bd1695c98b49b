"""Stratified splits that are the same everywhere."""

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from unicodedata import normalize

from bm_plugins.errors import InputError


def stratified_split(
    paths: Sequence[str],
    labels: Sequence[str],
    seed: int = 0,
    test_fraction: float = 0.2,
    val_fraction: float = 0.1,
    folds: int = 5,
    contiguous: bool = False,
    groups: Mapping[str, str] | None = None,
) -> tuple[list[str], list[int | None]]:
    """Split each class into train, val and test, and into folds.

    A class is ordered by the SHA-256 of seed and file name, so the split
    depends on no file system, library or other file's name. The first
    ceil(test_fraction · n) are the test part, which gives the paper's test
    supports (2 ABE, 9 KSC, 10 FGC, 13 LYI); of the others,
    round(val_fraction · n) are the validation part. The folds are consecutive
    stretches of the same order, the larger first: with the defaults, fold 0
    is the test part.

    ``contiguous`` orders by the number in the file name instead, so that the
    test part and the folds are blocks of neighbours, which often are of one
    patient (DAGDNet, 2023, splits so). ``groups`` stay together, in the part
    that the first of them falls into; parts grow by that much.

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
        contiguous (bool): Blocks by file number. Defaults to False.
        groups (Mapping[str, str], optional): Group by path, of those that
            are in one.

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
    units = _units(paths, groups or {})
    members = defaultdict(list)
    for unit in units:  # a group is of its first image's class
        members[labels[unit[0]]].append(unit)
    split, fold_of = ['train'] * len(paths), [None] * len(paths)
    for own in members.values():
        if len(own) == 1:
            continue
        n = sum(map(len, own))

        def order(unit: list[int]) -> tuple:
            path = paths[unit[0]]
            return _number(path) if contiguous else _rank(f'{seed}', path)

        own.sort(key=order)
        # 0.2 * 65 is a little over 13 in floating point.
        test = min(math.ceil(round(test_fraction * n, 9)), n - 1)
        val = min(round(val_fraction * n), n - test - 1)
        cut = min(_first(own, test), len(own) - 1)
        # Another order, so that each fold has its share of them.
        rest = sorted(
            own[cut:], key=lambda u: _rank(f'{seed}:val', paths[u[0]])
        )
        for unit in own[:cut]:
            for row in unit:
                split[row] = 'test'
        for unit in rest[: _first(rest, val)]:
            for row in unit:
                split[row] = 'val'
        start = end = 0
        for fold in range(folds):
            end += n // folds + (fold < n % folds)
            stop = _first(own, end) if fold < folds - 1 else len(own)
            for unit in own[start:stop]:
                for row in unit:
                    fold_of[row] = fold
            start = stop
    return split, fold_of


def stratified_share(
    paths: Sequence[str],
    labels: Sequence[str],
    fraction: float = 1.0,
    per_class: int | None = None,
    draw: int = 0,
) -> list[int]:
    """Rows of a share of each class, rounded, at least one image.

    By the SHA-256 of the file name, as :func:`stratified_split`: the
    rows of a smaller share are among those of a larger one.

    Args:
        paths (Sequence[str]): Paths (N,).
        labels (Sequence[str]): Class codes (N,).
        fraction (float): The share, above 0 and up to 1. Defaults to 1.
        per_class (int, optional): Images of each class at most. Defaults to
            None: any number.
        draw (int): Of several choices, which one. Defaults to 0.

    Returns:
        list[int]: The rows, in order.
    """
    members = defaultdict(list)
    for row, label in enumerate(labels):
        members[label].append(row)
    chosen = []
    for own in members.values():
        own.sort(key=lambda row: _rank(f'{draw}:share', paths[row]))
        chosen += own[: max(1, round(fraction * len(own)))][:per_class]
    return sorted(chosen)


def split_around(
    paths: Sequence[str],
    labels: Sequence[str],
    parts: Mapping[str, str],
    seed: int = 0,
    val_fraction: float = 0.1,
    groups: Mapping[str, str] | None = None,
) -> tuple[list[str], list[int | None]]:
    """Keep what is given, as a published test list; draw val of the rest.

    Args:
        paths (Sequence[str]): Paths (N,).
        labels (Sequence[str]): Class codes (N,).
        parts (Mapping[str, str]): ``test`` or ``val`` by path. With a ``val``
            none is drawn.
        seed (int): Seed of the validation part.
        val_fraction (float): Its share of all images.
        groups (Mapping[str, str], optional): As :func:`stratified_split`.

    Returns:
        tuple: As :func:`stratified_split`; no image has a fold, so that none
        of the test part ever trains.

    Raises:
        InputError: The rest is less than the validation part.
    """
    split = [parts.get(path, 'train') for path in paths]
    rest = [row for row, part in enumerate(split) if part == 'train']
    if 'val' not in split:
        share = val_fraction * len(paths) / max(len(rest), 1)
        if not 0 <= share < 1:
            raise InputError(
                f'--val-fraction {val_fraction} of all {len(paths)} images: '
                f'expected 0 or more, and less than the {len(rest)} that do '
                'not test.'
            )
        drawn, _ = stratified_split(
            [paths[row] for row in rest],
            [labels[row] for row in rest],
            seed,
            0,
            share,
            groups=groups,
        )
        for row, part in zip(rest, drawn, strict=True):
            split[row] = part
    return split, [None] * len(paths)


def _units(paths: Sequence[str], groups: Mapping[str, str]) -> list[list[int]]:
    """Rows that stay together, each list in the order of the paths."""
    units, known = [], {}
    for row, path in enumerate(paths):
        group = groups.get(path)
        if group in known:
            known[group].append(row)
            continue
        units.append([row])
        if group is not None:
            known[group] = units[-1]
    return units


def _first(units: Sequence[list[int]], count: int) -> int:
    """How many units hold the first ``count`` images, the last one whole."""
    held = 0
    for number, unit in enumerate(units):
        if held >= count:
            return number
        held += len(unit)
    return len(units)


def _number(path: str) -> tuple[int, str]:
    """The last number in a file's name, and the path."""
    numbers = re.findall(r'\d+', path.rpartition('/')[2])
    return int(numbers[-1]) if numbers else 0, path


def _rank(seed: str, path: str) -> tuple[str, str]:
    """Where a file stands in a random order."""
    # Some file systems decompose accents.
    name = normalize('NFC', path.rpartition('/')[2])
    return sha256(f'{seed}:{name}'.encode()).hexdigest(), path
