"""Unreadable images and duplicates of a collection."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bm_plugins.datasets.class_set import check_classes
from bm_plugins.datasets.image_io import write_faults
from bm_plugins.datasets.layout import (
    check_some,
    existing_image_folder,
    labels_of,
    list_pictures,
)
from bm_plugins.datasets.manifest import read_manifest
from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.datasets.value_range import value_bits
from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import write_csv
from bm_plugins.utils.files import make_folder

from .fingerprint import Fingerprint, fingerprints
from .near_duplicates import Pair, near_pairs


@dataclass(frozen=True)
class Image:
    """What is known of one image.

    Attributes:
        path (str): Relative to the image folder.
        label (str): Class code; empty where nothing names a known one.
        split (str): Its part in the manifest; empty without.
        fold (str): Its fold there; empty without.
        exact (bool): Another image has the same bytes.
    """

    path: str
    label: str
    split: str
    fold: str
    exact: bool = False


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        folder (Path): The image folder.
        images (list[Image]): All images (N,).
        faults (dict[str, str]): Reason by path, of those that cannot be read.
        pairs (list[Pair]): As many as it takes to join each group.
        groups (list[list[int]]): Rows of the images that are one, those
            across parts first, then across classes, then the largest.
        max_distance, min_correlation: As they were asked for.
    """

    folder: Path
    images: list[Image]
    faults: dict[str, str]
    pairs: list[Pair]
    groups: list[list[int]]
    max_distance: int
    min_correlation: float

    def across(self, group: list[int], what: str) -> bool:
        """Whether a group's images differ in ``label``, ``split`` or ``fold``.

        Images without one count for nothing.
        """
        values = {getattr(self.images[row], what) for row in group}
        return len(values - {''}) > 1


def audit(
    data_root: str | Path,
    out: str | Path,
    classes: Sequence[str] = CLASSES,
    workers: int = 1,
    max_distance: int = 8,
    min_correlation: float = 0.95,
) -> Audit:
    """Look at every image of a collection.

    Args:
        data_root (str or Path): Folder of the collection; its ``split.csv``
            gives parts and folds, if it is there.
        out (str or Path): Gets ``unreadable.csv``, ``duplicates.csv``,
            ``pairs.csv``, and ``fingerprints.csv``, by which the next call
            goes on.
        classes (Sequence[str]): Class codes.
        workers (int): Processes that read.
        max_distance, min_correlation: As for :func:`near_pairs`.

    Raises:
        InputError: No images, a manifest that cannot be read, or ``out``
            that cannot be written.
    """
    if not 0 <= max_distance <= 64 or not 0 < min_correlation <= 1:
        raise InputError(
            f'--max-distance {max_distance}, --min-correlation '
            f'{min_correlation}: expected 0 to 64 bits, and a number above 0 '
            'up to 1.'
        )
    classes = check_classes(classes)
    folder, out = existing_image_folder(data_root, classes), Path(out)
    paths = list_pictures(folder)
    check_some(paths, folder)
    known = _manifest(Path(data_root, 'split.csv'), folder)
    make_folder(out)
    bits = value_bits(paths, folder)
    file = out / 'fingerprints.csv'
    found = fingerprints(paths, folder, file, workers, bits)
    pairs = _pairs(found, folder, max_distance, min_correlation, bits)
    exact = {row for p in pairs if p.kind == 'exact' for row in (p.one, p.two)}
    images = []
    for row, path in enumerate(paths):
        rest = known.get(path) or (_label(path, classes), '', '')
        images.append(Image(path, *rest, row in exact))
    result = Audit(
        folder,
        images,
        {item.path: item.fault for item in found if item.fault},
        pairs,
        [],
        max_distance,
        min_correlation,
    )
    result.groups.extend(_groups(pairs, len(paths)))
    result.groups.sort(
        key=lambda group: (
            not result.across(group, 'split'),
            not result.across(group, 'label'),
            -len(group),
            group[0],
        )
    )
    _write(result, out)
    return result


def _manifest(file: Path, folder: Path) -> dict[str, tuple[str, str, str]]:
    """Label, part and fold of each image, if there is a manifest."""
    if not file.is_file():
        return {}
    paths, labels, splits, folds = read_manifest(file, folder=folder)
    folds = ['' if fold is None else str(fold) for fold in folds]
    rows = zip(labels, splits, folds, strict=True)
    return dict(zip(paths, rows, strict=True))


def _label(path: str, classes: Sequence[str]) -> str:
    try:
        return labels_of([path], classes)[0]
    except InputError:
        return ''


def _pairs(
    found: list[Fingerprint],
    folder: Path,
    max_distance: int,
    min_correlation: float,
    bits: int | None,
) -> list[Pair]:
    """Pairs that join all groups: of equal bytes each with the first."""
    pairs, first = [], {}
    for row, item in enumerate(found):
        if not item.fault:
            one = first.setdefault(item.sha256, row)
            if one != row:
                pairs.append(Pair(one, row, 0, 1.0, kind='exact'))
    rows = list(first.values())
    near = near_pairs(
        [found[row].path for row in rows],
        [found[row].phash for row in rows],
        [found[row].spectrum for row in rows],
        folder,
        max_distance,
        min_correlation,
        bits,
    )
    return pairs + [
        replace(pair, one=rows[pair.one], two=rows[pair.two]) for pair in near
    ]


def _groups(pairs: list[Pair], count: int) -> list[list[int]]:
    """Rows that pairs connect, in ascending order."""
    ends = np.array([(p.one, p.two) for p in pairs], int).reshape(-1, 2)
    graph = coo_array(
        (np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), (count, count)
    )
    _, group_of = connected_components(graph, directed=False)
    members = defaultdict(list)
    for row in np.unique(ends).tolist():
        members[group_of[row]].append(row)
    return list(members.values())


def _write(result: Audit, out: Path) -> None:
    write_faults(out / 'unreadable.csv', result.faults)
    write_csv(
        out / 'duplicates.csv',
        ['path', 'group', 'kind', 'label', 'split', 'fold'],
        [
            (
                image.path,
                number,
                'exact' if image.exact else 'near',
                image.label,
                image.split,
                image.fold,
            )
            for number, group in enumerate(result.groups)
            for image in (result.images[row] for row in group)
        ],
    )
    rows = []
    for pair in result.pairs:
        a, b = result.images[pair.one], result.images[pair.two]
        rows.append(
            (
                *(a.path, b.path, a.label, b.label, a.split, b.split),
                pair.kind,
                pair.distance,
                f'{pair.correlation:.4f}',
                pair.turned,
                *(f'{part:.3f}' for part in pair.shift),
            )
        )
    columns = ('path', 'label', 'split')
    ends = [f'{column}_{end}' for column in columns for end in 'ab']
    how = ['kind', 'hash_distance', 'correlation', 'turned']
    header = [*ends, *how, 'shift_x', 'shift_y']
    write_csv(out / 'pairs.csv', header, rows)


def summary(result: Audit) -> list[tuple[str, int]]:
    """Counts of what was found, each with its name."""
    kinds = Counter(
        'exact' if result.images[row].exact else 'near'
        for group in result.groups
        for row in group
    )

    def across(what: str) -> int:
        return sum(result.across(group, what) for group in result.groups)

    return [
        ('images', len(result.images)),
        ('unreadable', len(result.faults)),
        ('without a known class', sum(not i.label for i in result.images)),
        ('groups of duplicates', len(result.groups)),
        ('images with an exact copy', kinds['exact']),
        ('images with a near copy alone', kinds['near']),
        ('groups across train, val and test', across('split')),
        ('groups across folds', across('fold')),
        ('groups across classes', across('label')),
    ]
