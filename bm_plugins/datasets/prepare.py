"""Look at every image of a collection once and write its manifest."""

import csv
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..csv_file import write_csv
from ..errors import InputError
from .image_io import find_faults
from .layout import existing_image_folder, labels_of, list_images
from .manifest import (
    label_indices,
    read_manifest,
    read_stamp,
    stamp_file,
    write_manifest,
    write_stamp,
)
from .matek_classes import CLASSES, FULL_NAMES, SUPPORTS
from .splits import split_by_list, stratified_split
from .synthetic.collection import MARKER
from .value_range import value_bits

# What a collection's own folder holds besides images.
_EXPECTED = (
    'split.csv',
    'split.stamp.json',
    *('split_left_out.csv', 'split_faults.csv'),
    'abbreviations.csv',
)


def prepare(
    data_root: str | Path,
    manifest: str | Path | None = None,
    classes: Sequence[str] = CLASSES,
    seed: int = 0,
    test_fraction: float = 0.2,
    val_fraction: float = 0.1,
    folds: int = 5,
    workers: int = 1,
    overwrite: bool = False,
    contiguous: bool = False,
    test_list: str | Path | None = None,
    groups: str | Path | None = None,
) -> None:
    """Write the manifest of a collection and stamp it.

    Prints what was left out and why (all of it in ``split_left_out.csv``
    beside the manifest) and the counts beside the release's.

    Args:
        data_root (str or Path): Folder of the collection.
        manifest (str or Path, optional): Defaults to its ``split.csv``.
        classes (Sequence[str]): Class codes, the names of the class folders.
        seed, test_fraction, val_fraction, folds: As for
            :func:`stratified_split`.
        workers (int): Processes that decode.
        overwrite (bool): Replace a manifest that is there.
        contiguous (bool): As for :func:`stratified_split`.
        test_list (str or Path, optional): CSV file whose first two columns
            are the path (of which the file name counts) and the class code of
            each test image, as DinoBloom's ``bm_test.csv``.
        groups (str or Path, optional): CSV file ``path,group`` of images that
            stay in one part, as ``tools/audit.py`` writes it.

    Raises:
        InputError: No images, an unknown class folder, a file name against
            its folder, or a manifest that would be replaced.
    """
    folder = existing_image_folder(data_root)
    manifest = Path(manifest or Path(data_root, 'split.csv'))
    if manifest.exists() and not overwrite:
        raise InputError(
            f'{manifest} exists. Keep it and verify its images by --check, '
            'or replace it by --overwrite.'
        )
    # Before the long part: what would fail after it.
    stratified_split([], [], seed, test_fraction, val_fraction, folds)
    if test_list and (contiguous or groups):
        raise InputError(
            '--test-list says which images test; leave out --contiguous and '
            '--groups.'
        )
    test_names = _read_pairs(test_list) if test_list else {}
    if test_list and not test_names:
        raise InputError(f'--test-list {test_list} names no image.')
    together = _read_pairs(groups) if groups else {}
    _check_target(manifest)
    images, others = list_images(folder)
    if not images:
        raise InputError(
            f'{folder} holds no images; expected <CODE>/<range>/<CODE>_'
            '00001.jpg or <CODE>/<file>.jpg.'
        )
    labels = dict(zip(images, labels_of(images, classes), strict=True))
    bits = value_bits(images, folder)
    faults = find_faults(images, folder, workers, bits)
    left_out = faults | {
        path: 'no image file'
        for path in others
        if path not in _EXPECTED and not path.endswith('.pack')
    }
    kept = [path for path in images if path not in faults]
    kept_labels = [labels[path] for path in kept]
    if test_list:
        names = {path.rpartition('/')[2]: c for path, c in test_names.items()}
        split, fold = split_by_list(
            kept, kept_labels, names, seed, val_fraction
        )
        protocol = dict(split=f'test list {Path(test_list).name}')
    else:
        split, fold = stratified_split(
            kept,
            kept_labels,
            seed,
            test_fraction,
            val_fraction,
            folds,
            contiguous,
            together,
        )
        how = 'contiguous blocks' if contiguous else f'stratified, seed {seed}'
        if groups:
            how += ', duplicates together'
        protocol = dict(
            split=f'{how}, {test_fraction:.0%} test',
            folds=f'{folds}-fold, {how}',
        )
    write_manifest(manifest, kept, kept_labels, split, fold)
    file = manifest.with_name(f'{manifest.stem}_left_out.csv')
    file.unlink(missing_ok=True)
    if left_out:
        _report(left_out, file)
    else:
        print('Nothing was left out.')
    counts = Counter(kept_labels)
    _report_counts(counts, classes, data_root)
    write_stamp(
        manifest,
        dict(
            images=len(kept),
            left_out=len(left_out),
            bits=bits,
            seed=seed,
            test_fraction=test_fraction,
            val_fraction=val_fraction,
            folds=folds,
            protocol=protocol,
            counts={code: counts[code] for code in classes},
        ),
    )
    parts = Counter(split)
    print(
        f'Wrote {manifest}: {parts["train"]} train, {parts["val"]} val, '
        f'{parts["test"]} test, {len({*fold} - {None})} folds; stamp '
        f'{stamp_file(manifest)}'
    )


def check(
    data_root: str | Path,
    manifest: str | Path | None = None,
    classes: Sequence[str] = CLASSES,
    workers: int = 1,
) -> None:
    """Verify the images of a manifest that stays as it is, and stamp it.

    Args:
        data_root (str or Path): Folder of the collection.
        manifest (str or Path, optional): Defaults to its ``split.csv``.
        classes (Sequence[str]): Class codes.
        workers (int): Processes that decode.

    Raises:
        InputError: An image cannot be used, or a label is against its path.
    """
    folder = existing_image_folder(data_root)
    manifest = Path(manifest or Path(data_root, 'split.csv'))
    paths, labels, _, _ = read_manifest(manifest)
    label_indices(paths, labels, classes, manifest)
    _check_target(manifest)
    noted = read_stamp(manifest) or {}  # how the parts were chosen
    bits = value_bits(paths, folder)
    faults = find_faults(paths, folder, workers, bits)
    if faults:
        write_stamp(manifest, noted | dict(unreadable=len(faults)))
        _report(faults, manifest.with_name(f'{manifest.stem}_faults.csv'))
        raise InputError(
            f'{manifest} names {len(faults)} image(s) that cannot be used, '
            f'the first: {next(iter(faults))}. Restore them, or write the '
            'manifest anew by --overwrite.'
        )
    counts = Counter(labels)
    _report_counts(counts, classes, data_root)
    write_stamp(
        manifest,
        noted
        | dict(images=len(paths), counts=counts, unreadable=0, bits=bits),
    )
    print(f'All {len(paths)} images are whole; stamp {stamp_file(manifest)}')


def _read_pairs(file: str | Path) -> dict[str, str]:
    """The first two columns of a CSV file with a header."""
    try:
        with open(file, newline='', encoding='utf-8-sig') as stream:
            rows = [row for row in csv.reader(stream) if row]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'{file} cannot be read: {error}.') from error
    if not rows or min(map(len, rows)) < 2:
        raise InputError(
            f'{file}: expected a header and two columns, path and class (or '
            'path and group).'
        )
    return {row[0].replace('\\', '/'): row[1] for row in rows[1:]}


def _check_target(manifest: Path) -> None:
    if not os.access(manifest.parent, os.W_OK):
        raise InputError(
            f'{manifest} cannot be written: {manifest.parent} does not exist '
            'or is read-only. Name another place by --output.'
        )


def _report(faults: dict[str, str], file: Path) -> None:
    """Print the first faults and write all of them."""
    rows = [
        (path.encode(errors='backslashreplace').decode(), reason)
        for path, reason in faults.items()
    ]
    write_csv(file, ['path', 'reason'], rows)
    print(f'Left out, all in {file}:')
    for path, reason in rows[:20]:
        print(f'  {path}: {reason}')
    if len(rows) > 20:
        print(f'  and {len(rows) - 20} more')


def _report_counts(
    counts: Counter, classes: Sequence[str], data_root: str | Path
) -> None:
    if tuple(classes) != CLASSES or Path(data_root, MARKER).is_file():
        for code in classes:
            print(f'{code:10} {counts[code]:7}')
        return
    print(f'{"code":5}{"name":24}{"found":>8}{"release":>9}{"differ":>8}')
    total = ('all', 'all classes', sum(SUPPORTS))
    counts = counts | Counter(all=sum(counts.values()))
    for code, name, support in (
        *zip(CLASSES, FULL_NAMES, SUPPORTS, strict=True),
        total,
    ):
        found = counts[code]
        print(f'{code:5}{name:24}{found:8}{support:9}{found - support:+8}')
