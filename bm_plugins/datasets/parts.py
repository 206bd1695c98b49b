"""Which part each image of a manifest is in, given the fold."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from .manifest import PART_NAMES, SPLITS
from .splits import stratified_share


def parse_fold(fold: int | str | None) -> int | None:
    """The fold that a config or ``BM_FOLD`` names.

    Args:
        fold (int or str, optional): A number, or ``''``, ``'none'`` or None.

    Returns:
        int or None: The number; None for the manifest's own split.

    Raises:
        InputError: It is no number.
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
    split: str | Sequence[str], fraction: float, with_label: bool
) -> tuple[str, ...]:
    """The parts that a data set loads.

    Args:
        split (str or Sequence[str]): One or several.
        fraction (float): Share of each class to take of them.
        with_label (bool): Whether labels are loaded.

    Raises:
        InputError: There is no such part, or no such share.
    """
    wanted = (split,) if isinstance(split, str) else tuple(split)
    if unknown := {*wanted} - SPLITS:
        raise InputError(
            f'split={sorted(unknown)}: expected train, val or test.'
        )
    if not 0 < fraction <= 1 or (fraction < 1 and not with_label):
        raise InputError(
            f'fraction={fraction}: expected a share above 0 up to 1, and '
            'labels, by which each class gives its share.'
        )
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
    """The parts that folders name, as ``train/BLA`` and ``test/BLA``.

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
    names = PART_NAMES.keys() - {code.casefold() for code in classes}
    found: dict[str, str] = {}
    others = []
    for path in paths:
        folders = path.casefold().split('/')[:-1]
        parts = {PART_NAMES[name] for name in folders if name in names}
        if len(parts) == 1:
            found[path] = parts.pop()
        else:
            others.append(path)
    has = {*found.values()}
    choice = (
        'Draw parts from all images by --ignore-folders, or move these into '
        'train, val and test.'
    )
    if found and others:
        raise InputError(
            f'{len(found)} images are in folders of parts ({", ".join(sorted(has))}), '
            f'{len(others)} in none or two, the first: {others[0]}. {choice}'
        )
    if has and has != {'train'} and not has >= {'train', 'test'}:
        raise InputError(
            f'folders name the parts {", ".join(sorted(has))}; expected train and '
            f'test. {choice}'
        )
    return found if 'test' in has else {}


def rows_of(
    parts: Sequence[str],
    wanted: Sequence[str],
    paths: Sequence[str],
    labels: Sequence[str],
    fraction: float = 1.0,
) -> list[int]:
    """The rows of some parts.

    Args:
        parts (Sequence[str]): The part (N,) of each row.
        wanted (Sequence[str]): The parts to take.
        paths (Sequence[str]): Column ``path`` (N,).
        labels (Sequence[str]): Column ``label`` (N,).
        fraction (float): Share of each class, by :func:`stratified_share`.
            Defaults to 1: all.

    Returns:
        list[int]: Row numbers, in order.
    """
    rows = [row for row, part in enumerate(parts) if part in wanted]
    if fraction < 1:
        chosen = stratified_share(
            [paths[row] for row in rows],
            [labels[row] for row in rows],
            fraction,
        )
        rows = [rows[number] for number in chosen]
    return rows
