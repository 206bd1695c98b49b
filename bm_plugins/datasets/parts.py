"""Which part each image of a manifest is in, given the fold."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError


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
    if fold not in known:
        raise InputError(
            f'{manifest}: no fold {fold} (it has {known or "no folds"}). Set '
            'BM_FOLD to one of them, or write the manifest anew by '
            'tools/prepare_matek.py --folds.'
        )
    return [
        'test' if own == fold else 'val' if split == 'val' else 'train'
        for split, own in zip(splits, folds, strict=True)
    ]
