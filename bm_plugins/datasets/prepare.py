"""Look at every image of a collection once and write its manifest."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bm_plugins.datasets.splits.given_parts import read_given
from bm_plugins.datasets.splits.parts_of_fold import against_folders
from bm_plugins.datasets.splits.stratified_split import (
    split_around,
    stratified_split,
)
from bm_plugins.datasets.synthetic.collection import MARKER
from bm_plugins.errors import InputError

from .class_set import check_classes, did_you_mean
from .image_io import find_faults, write_faults
from .layout import check_some, existing_image_folder, labels_of, list_images
from .manifest import (
    label_indices,
    read_manifest,
    read_stamp,
    stamp_file,
    write_manifest,
    write_stamp,
)
from .matek_classes import CLASSES, FULL_NAMES, SUPPORTS
from .scale import Scale, measure_scale, noted_scale, parse_um_per_px
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
    ignore_folders: bool = False,
    um_per_px: float | str | None = None,
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
        test_list (str or Path, optional): CSV file ``path,label`` of the test
            images, as DinoBloom's ``bm_test.csv``; of the path the file name
            counts.
        groups (str or Path, optional): CSV file ``path,group`` of images that
            stay in one part: patients, or the duplicates of
            ``tools/audit.py``.
        ignore_folders (bool): Draw parts even where folders name them, as
            ``train/BLA`` and ``test/BLA``. Defaults to False: those are the
            parts, and there are no folds.
        um_per_px (float or str, optional): Scale of the images. Defaults to
            None: what all files say, if they do.

    Raises:
        InputError: No images, an unknown class folder or one beside the
            release's image folder, a class without an image, a file
            name against its folder, a list that names other images, or a
            manifest that would be replaced.
    """
    classes = check_classes(classes)
    folder = existing_image_folder(data_root, classes)
    manifest = Path(manifest or Path(data_root, 'split.csv'))
    if manifest.exists() and not overwrite:
        raise InputError(
            f'{manifest} exists. Keep it and verify its images by --check, '
            'or replace it by --overwrite.'
        )
    # Before the long part: what would fail after it.
    stratified_split([], [], seed, test_fraction, val_fraction, folds)
    parse_um_per_px(um_per_px, same=False)
    if test_list and (contiguous or groups):
        raise InputError(
            '--test-list says which images test; leave out --contiguous and '
            '--groups.'
        )
    _check_target(manifest)
    images, others = list_images(folder)
    check_some(images, folder)
    labels = dict(zip(images, labels_of(images, classes), strict=True))
    _check_present(labels, classes, folder)
    given = read_given(
        labels, folder, classes, test_list, groups, contiguous, ignore_folders
    )
    bits = value_bits(images, folder)
    listed = [path for path in images if _is_listable(path)]
    faults = {
        path: 'the name holds a backslash, or begins with a space'
        for path in images
        if not _is_listable(path)
    } | find_faults(listed, folder, workers, bits)
    left_out = faults | {
        path: 'no image file'
        for path in others
        if path not in _EXPECTED and not path.endswith('.pack')
    }
    kept = [path for path in images if path not in faults]
    kept_labels = [labels[path] for path in kept]
    lost = [path for path in given.parts if path in faults]
    if lost and test_list:
        raise InputError(
            f'--test-list {test_list} names {len(lost)} image(s) that cannot '
            f'be used, the first: {lost[0]} ({faults[lost[0]]}). Restore them.'
        )
    if given.parts:
        split, fold = split_around(
            kept, kept_labels, given.parts, seed, val_fraction, given.groups
        )
        protocol = dict(split=given.text)
    else:
        split, fold = stratified_split(
            kept,
            kept_labels,
            seed,
            test_fraction,
            val_fraction,
            folds,
            contiguous,
            given.groups,
        )
        how = 'contiguous blocks' if contiguous else f'stratified, seed {seed}'
        how = ', '.join(filter(None, [how, given.text]))
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
    files = [folder / path for path in kept]
    scale = _report_scale(measure_scale(files, um_per_px, workers))
    write_stamp(
        manifest,
        dict(
            images=len(kept),
            scale=scale,
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
    ignore_folders: bool = False,
    um_per_px: float | str | None = None,
) -> None:
    """Verify the images of a manifest that stays as it is, and stamp it.

    Args:
        data_root (str or Path): Folder of the collection.
        manifest (str or Path, optional): Defaults to its ``split.csv``.
        classes (Sequence[str]): Class codes.
        workers (int): Processes that decode.
        ignore_folders (bool): As for :func:`prepare`.
        um_per_px (float or str, optional): Scale of the images. Defaults to
            None: what was noted, else as for :func:`prepare`.

    Raises:
        InputError: An image cannot be used, a label or part is against its
            path, or a class has no image.
    """
    folder = existing_image_folder(data_root)
    manifest = Path(manifest or Path(data_root, 'split.csv'))
    paths, labels, splits, _ = read_manifest(manifest, folder=folder)
    classes = check_classes(classes)
    label_indices(paths, labels, classes, manifest)
    _check_present(dict(zip(paths, labels, strict=True)), classes, folder)
    _check_target(manifest)
    noted = read_stamp(manifest) or {}  # how the parts were chosen
    parse_um_per_px(um_per_px, same=False)
    if not ignore_folders and (
        wrong := against_folders(manifest, paths, splits, classes)
    ):
        raise InputError(
            f'{manifest}: {len(wrong)} image(s) are of another part than '
            f'their folder says, the first: {wrong[0]}. Write the manifest '
            'anew by --overwrite, or keep it so by --ignore-folders.'
        )
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
    before = noted_scale(noted)
    said = um_per_px or (before and before.um_per_px)
    files = [folder / path for path in paths]
    scale = _report_scale(measure_scale(files, said, workers))
    facts = dict(images=len(paths), scale=scale, counts=counts, bits=bits)
    write_stamp(manifest, noted | facts | dict(unreadable=0))
    print(f'All {len(paths)} images are whole; stamp {stamp_file(manifest)}')


def _check_present(
    labels: Mapping[str, str], classes: tuple[str, ...], folder: Path
) -> None:
    """Each class of one's own has an image; the release's need not."""
    missing = [*dict.fromkeys(classes)] if classes != CLASSES else []
    present = {*labels.values()}
    if missing := [code for code in missing if code not in present]:
        names = {part for path in labels for part in path.split('/')[:-1]}
        raise InputError(
            f'{len(missing)} of the classes has no folder or image in '
            f'{folder}: {", ".join(missing)}'
            f'{did_you_mean(missing[0], names - present)}. Leave it out of '
            '--classes, or name it as its folder.'
        )


def _is_listable(path: str) -> bool:
    """Whether a table gives the name back as it was."""
    return '\\' not in path and path == path.strip()


def _report_scale(scale: Scale | None) -> dict | None:
    """Print what is usual, and how many images are not."""
    if scale is None:
        return None
    print(f'Images: {scale}.')
    if not scale.um_per_px:
        print('Say it by --um-per-px, for cells of another magnification.')
    if scale.share < 1:
        print(
            f'{100 * (1 - scale.share):.1f} % are of another size; training '
            'resizes them all to one, whatever field they show.'
        )
    return asdict(scale)


def _check_target(manifest: Path) -> None:
    if not os.access(manifest.parent, os.W_OK):
        raise InputError(
            f'{manifest} cannot be written: {manifest.parent} does not exist '
            'or is read-only. Name another place by --output.'
        )


def _report(faults: dict[str, str], file: Path) -> None:
    """Print the first faults and write all of them."""
    rows = write_faults(file, faults)
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
