"""Where a collection keeps its images, and what their paths say."""

import os
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from ..errors import InputError

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
    parts = folder.split('/')
    return next((part for part in reversed(parts) if part in classes), None)


def labels_of(paths: Iterable[str], classes: Collection[str]) -> list[str]:
    """Class codes that relative paths stand for.

    The class folder gives the code; a file-name prefix (``BLA_00001.jpg``)
    that is a code too must agree, and alone it counts in a flattened tree.

    Args:
        paths (Iterable[str]): Paths relative to the image folder, with ``/``.
        classes (Collection[str]): The known codes.

    Returns:
        list[str]: One code a path.

    Raises:
        InputError: Folder and prefix differ, or neither is a known code.
    """
    ordered, known = tuple(classes), frozenset(classes)
    long = sorted((c for c in known if '_' in c), key=len, reverse=True)
    labels = []
    for path in paths:
        folder, _, name = path.rpartition('/')
        code = _folder_code(folder, ordered)
        prefix = name.partition('_')[0]
        for longer in long:
            if name.startswith(f'{longer}_'):
                prefix = longer
                break
        if prefix in known and prefix != code:
            if code is not None:
                raise InputError(
                    f'{path}: the folder says {code}, the file name {prefix}. '
                    'Move or rename the file.'
                )
            code = prefix
        if code is None:
            raise InputError(
                f'{path}: neither a folder nor the file name is a known code '
                f'({" ".join(ordered)}). Move the file into its class folder, '
                'or name your own classes by --classes (in a config '
                'metainfo=dict(classes=...)).'
            )
        labels.append(code)
    return labels


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


def check_files(
    paths: Sequence[str], folder: str, manifest: str | Path
) -> None:
    """Each file is there; a folder is listed once, no file is opened.

    Args:
        paths (Sequence[str]): Paths relative to ``folder``.
        folder (str): The image folder.
        manifest (str or Path): What names them, for the error.

    Raises:
        InputError: The folder or a file is missing.
    """
    if not os.path.isdir(folder):
        raise InputError(f'image folder {folder} does not exist.')
    present: dict[str, set[str]] = {}
    missing = []
    for path in paths:
        parent, _, name = path.rpartition('/')
        if parent not in present:
            full = os.path.join(folder, parent)
            present[parent] = (
                set(os.listdir(full)) if os.path.isdir(full) else set()
            )
        if name not in present[parent]:
            missing.append(path)
    if missing:
        raise InputError(
            f'{manifest} names {len(missing)} file(s) that are not in '
            f'{folder}, the first: {missing[0]}. Complete the folder, or '
            'write the manifest anew by tools/prepare_matek.py.'
        )
