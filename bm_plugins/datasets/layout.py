"""Where a collection keeps its images, and what their paths say."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from unicodedata import normalize

from ..errors import InputError
from .class_set import check_classes, did_you_mean

IMAGE_FOLDERS = ('BM_cytomorphology_data', 'bone_marrow_cell_dataset')
IMAGE_ENDINGS = ('.jpg', '.jpeg', '.png', '.tif', '.tiff', '.bmp')


def find_image_folder(data_root: str | Path) -> Path:
    """The release's or the mirror's image folder, else ``data_root`` itself.

    Args:
        data_root (str or Path): Folder of the collection.

    Returns:
        Path: The folder that manifest paths are relative to.
    """
    root = Path(data_root)
    for name in IMAGE_FOLDERS:
        if (root / name).is_dir():
            return root / name
    return root


def existing_image_folder(data_root: str | Path) -> Path:
    """As :func:`find_image_folder`, of a folder that must be there.

    Raises:
        InputError: ``data_root`` is no folder.
    """
    if not Path(data_root).is_dir():
        raise InputError(
            f'{data_root} is no folder. Give the folder that holds '
            'BM_cytomorphology_data (or the class folders themselves).'
        )
    return find_image_folder(data_root)


@lru_cache(maxsize=4096)
def _folder_code(folder: str, classes: tuple[str, ...]) -> str | None:
    """The deepest folder that is named as a class."""
    parts = normalize('NFC', folder).split('/')
    return next((part for part in reversed(parts) if part in classes), None)


def labels_of(paths: Iterable[str], classes: Sequence[str]) -> list[str]:
    """Class codes that relative paths stand for.

    The class folder gives the code; a file-name prefix (``BLA_00001.jpg``)
    that is a code too must agree, and alone it counts in a flattened tree. A
    number in front of a name (``2_0001.jpg``) is mostly none: in a class
    folder it does not count.

    Args:
        paths (Iterable[str]): Paths relative to the image folder, with ``/``.
        classes (Sequence[str]): The known codes.

    Returns:
        list[str]: One code a path.

    Raises:
        InputError: Folder and prefix differ, or neither is a known code.
    """
    ordered = check_classes(classes)
    known = frozenset(ordered)
    long = sorted((c for c in known if '_' in c), key=len, reverse=True)
    labels, unknown = [], []
    for path in paths:
        folder, _, name = path.rpartition('/')
        code = _folder_code(folder, ordered)
        if not name.isascii():
            name = normalize('NFC', name)
        prefix = name.partition('_')[0]
        for longer in long:
            if name.startswith(f'{longer}_'):
                prefix = longer
                break
        if prefix in known and prefix != code:
            if code is None:
                code = prefix
            elif not prefix.replace('_', '').isdecimal():
                raise InputError(
                    f'{path}: the folder says {code}, the file name {prefix}. '
                    'Move or rename the file.'
                )
        if code is None:
            unknown.append(path)
        labels.append(code)
    if unknown:
        raise _unknown(unknown, ordered)
    return labels


def _unknown(paths: Sequence[str], classes: Sequence[str]) -> InputError:
    """The error for images that lie in no class folder."""
    (folder, number), *others = Counter(
        path.rpartition('/')[0] for path in paths
    ).most_common()
    first = next(p for p in paths if p.rpartition('/')[0] == folder)
    hints = (did_you_mean(part, classes) for part in folder.split('/'))
    said = f'folder {folder}' if folder else 'no folder'
    if others:
        said += f' and {len(others)} more'
    return InputError(
        f'{len(paths)} image(s) without a class, {number} in {said}'
        f'{next(filter(None, hints), "")}. Of {first} neither a folder nor '
        f'the file name is a known code ({", ".join(classes)}). Move the '
        'files into class folders, or name your own classes by --classes (in '
        'a config metainfo=dict(classes=...)).'
    )


def list_images(folder: str | Path) -> tuple[list[str], list[str]]:
    """Images and other files of a folder, at any depth.

    Hidden files and folders, and those that archivers add, are passed over.

    Args:
        folder (str or Path): The image folder.

    Returns:
        tuple[list[str], list[str]]: Image paths and other paths, relative to
        ``folder``, with ``/``, sorted the same on any file system.
    """
    images, others = [], []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [n for n in folders if n[0] != '.' and n != '__MACOSX']
        relative = Path(parent).relative_to(folder).as_posix()
        prefix = '' if relative == '.' else f'{relative}/'
        for name in names:
            if name.startswith('.'):
                continue
            is_image = name.lower().endswith(IMAGE_ENDINGS)
            (images if is_image else others).append(prefix + name)
    return sorted(images), sorted(others)
