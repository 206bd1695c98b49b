"""Which part each image of a manifest is in, given the fold."""

import logging
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from mmengine.logging import print_log

from bm_plugins.datasets.manifest import PART_NAMES, SPLITS, protocol_of
from bm_plugins.errors import InputError

from .stratified_split import stratified_share

# As train, Training set, test_images and 1_train.
_PART_FOLDER = re.compile(
    rf'(\d+[ _-]+)?(?P<part>{"|".join(PART_NAMES)})'
    r'([ _-]*(set|data|dataset|images?|imgs|cells|part|split))?'
)


def parse_fold(fold: int | str | None) -> int | None:
    """The fold that a config or ``BM_FOLD`` names; None for the own split.

    Raises:
        InputError: It is neither a number nor ``''``, ``'none'`` or None.
    """
    if fold in (None, '', 'none'):
        return None
    try:
        return int(fold)
    except ValueError:
        raise InputError(
            f'fold {fold!r} is no number. Set BM_FOLD to the fold that is '
            "the test part, or unset it for the manifest's own split."
        ) from None


def parse_split(
    split: str | Sequence[str],
    fraction: float,
    with_label: bool,
    per_class: int | None = None,
    draw: int = 0,
) -> tuple[str, ...]:
    """The parts that a data set loads, of which it takes a share.

    Raises:
        InputError: There is no such part, or no such share.
    """
    wanted = (split,) if isinstance(split, str) else tuple(split)
    if unknown := {*wanted} - SPLITS:
        raise InputError(
            f'split={sorted(unknown)}: expected train, val or test.'
        )
    is_share = isinstance(fraction, int | float) and 0 < fraction <= 1
    if not is_share or (fraction < 1 and not with_label):
        raise InputError(
            f'fraction={fraction!r}: expected a share above 0 up to 1, and '
            'labels, by which each class gives its share.'
        )
    # True is an int, too
    is_number = type(per_class) is int and per_class >= 1
    if per_class is not None and not (is_number and with_label):
        raise InputError(
            f'per_class={per_class!r}: expected 1 or more images of each '
            'class, a whole number, and labels.'
        )
    if type(draw) is not int:
        raise InputError(f'draw={draw!r}: expected a whole number.')
    return wanted


def parts_of(
    splits: Sequence[str],
    folds: Sequence[int | None],
    fold: int | None,
    manifest: str | Path,
) -> list[str]:
    """The part of each row.

    Args:
        splits (Sequence[str]): Column ``split`` (N,).
        folds (Sequence[int or None]): Column ``fold`` (N,).
        fold (int, optional): The fold that is the test part; of the others
            the images marked ``val`` stay so, and the rest trains. None: as
            the column ``split`` says.
        manifest (str or Path): The manifest, for the error.

    Returns:
        list[str]: ``train``, ``val`` or ``test`` (N,).

    Raises:
        InputError: No row has that fold.
    """
    if fold is None:
        return list(splits)
    known = sorted({*folds} - {None})
    if not known:
        raise InputError(
            f'{manifest}: no fold {fold} (it has no folds, as of a test list '
            'or of folders that name the parts). Unset BM_FOLD, or draw parts '
            'and folds anew by tools/prepare_matek.py --overwrite (with '
            '--ignore-folders where folders name the parts).'
        )
    if fold not in known:
        raise InputError(
            f'{manifest}: no fold {fold} (it has {known}). Set '
            'BM_FOLD to one of them, or write the manifest anew by '
            'tools/prepare_matek.py --folds.'
        )
    return [
        'test' if own == fold else 'val' if split == 'val' else 'train'
        for split, own in zip(splits, folds, strict=True)
    ]


def folder_parts(
    paths: Sequence[str], classes: Sequence[str]
) -> dict[str, str]:
    """The parts that folders name, as ``train/BLA`` and ``test_set/BLA``.

    Args:
        paths (Sequence[str]): Paths (N,) relative to the image folder.
        classes (Sequence[str]): Codes; a folder of a class is no part.

    Returns:
        dict[str, str]: ``train``, ``val`` or ``test`` by path; empty where no
        folder names a part, or all of them train.

    Raises:
        InputError: Some images are in no part or in two, or no image trains
            or tests.
    """
    codes = {code.casefold() for code in classes}

    @cache
    def part_of(folder: str) -> str | None:
        names = {name.strip() for name in folder.casefold().split('/')}
        found = map(_PART_FOLDER.fullmatch, names - codes)
        parts = {PART_NAMES[match['part']] for match in found if match}
        return parts.pop() if len(parts) == 1 else None

    found = {path: part_of(path.rpartition('/')[0]) for path in paths}
    has = sorted({*found.values()} - {None})
    if not has or {*found.values()} == {'train'}:
        return {}
    others = [path for path, part in found.items() if part is None]
    wrong = ''
    if others:
        wrong = (
            f'{len(others)} of {len(found)} images are in no or two of them, '
            f'the first: {others[0]}'
        )
    elif not {'train', 'test'} <= {*has}:
        wrong = 'expected train and test'
    if wrong:
        raise InputError(
            f'folders name the parts {", ".join(has)}; {wrong}. Draw parts of '
            'all images by --ignore-folders, or move the images into train, '
            'val and test.'
        )
    return found


def against_folders(
    manifest: str | Path,
    paths: Sequence[str],
    splits: Sequence[str],
    classes: Sequence[str],
) -> list[str]:
    """Images of a manifest in another part than their folder says.

    Of those in a folder that trains, some may be the val part. Where the
    manifest's stamp says that folders were ignored, there is none.

    Raises:
        InputError: As :func:`folder_parts`.
    """
    parts = folder_parts(paths, classes)
    if not parts or 'folders ignored' in protocol_of(manifest, None):
        return []
    return [
        path
        for path, split in zip(paths, splits, strict=True)
        if parts[path] != split and (parts[path], split) != ('train', 'val')
    ]


def say_against_folders(
    manifest: str | Path,
    paths: Sequence[str],
    splits: Sequence[str],
    classes: Sequence[str],
) -> None:
    """Say in the log what :func:`against_folders` finds."""
    try:
        wrong = against_folders(manifest, paths, splits, classes)
    except InputError:  # of some images alone; the manifest decides
        return
    if wrong:
        print_log(
            f'{manifest}: {len(wrong)} image(s) are of another part than '
            f'their folder says, the first: {wrong[0]}. If that is not meant, '
            'write the manifest anew by tools/prepare_matek.py --overwrite.',
            logger='current',
            level=logging.WARNING,
        )


def rows_of(
    parts: Sequence[str],
    wanted: Sequence[str],
    paths: Sequence[str],
    labels: Sequence[str],
    fraction: float = 1.0,
    per_class: int | None = None,
    draw: int = 0,
) -> list[int]:
    """The rows of some parts, in order.

    Args:
        parts (Sequence[str]): The part (N,) of each row.
        wanted (Sequence[str]): The parts to take.
        paths (Sequence[str]): Column ``path`` (N,).
        labels (Sequence[str]): Column ``label`` (N,).
        fraction (float): Share of each class, by :func:`stratified_share`.
            Defaults to 1: all.
        per_class (int, optional): Images of each class at most, as there.
        draw (int): Which choice, as there.
    """
    rows = [row for row, part in enumerate(parts) if part in wanted]
    if fraction < 1 or per_class is not None:
        chosen = stratified_share(
            [paths[row] for row in rows],
            [labels[row] for row in rows],
            fraction,
            per_class,
            draw,
        )
        rows = [rows[number] for number in chosen]
    return rows
