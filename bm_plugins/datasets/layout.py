"""Where a collection keeps its images, and what their paths say."""

import os
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from mmengine.logging import print_log

from ..errors import InputError

IMAGE_FOLDERS = ('BM_cytomorphology_data', 'bone_marrow_cell_dataset')
IMAGE_ENDINGS = (*('.jpg', '.jpeg', '.png', '.tif', '.tiff', '.bmp', '.webp'),)
# Pictures of other kinds, which must not be passed over without a word.
OTHER_IMAGES = (
    *('.gif', '.heic', '.heif', '.avif', '.jp2', '.j2k', '.jxl', '.psd'),
    *('.dng', '.cr2', '.nef', '.arw', '.raw', '.ppm', '.dcm', '.lif'),
    *('.svs', '.ndpi', '.czi', '.scn', '.mrxs', '.vsi', '.nd2', '.bif'),
)
# What systems, storage boxes and archivers add, in lower case; what starts
# with a dot is hidden.
_SYSTEM = (
    *('__macosx', '@eadir', '$recycle.bin', 'recycler', '#recycle'),
    *('@recycle', '#snapshot', '@recently-snapshot', 'lost+found'),
    *('system volume information', 'found.000'),
    *('thumbs.db', 'ehthumbs.db', 'desktop.ini'),
)
_THUMBNAILS = 'synofile_thumb_'


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


def list_images(
    folder: str | Path, depth: int | None = None
) -> tuple[list[str], list[str]]:
    """Images and other files of a folder, at any depth.

    Hidden files and folders, and those that systems and archivers add, are
    passed over, and so is a link to a folder that holds ``folder``. A folder
    reached by several ways counts once: by its own place where it has one,
    else by the first link. Says in the log what was passed over.

    Args:
        folder (str or Path): The image folder.
        depth (int, optional): Levels to search; 1 is the folder itself.
            Defaults to None: all.

    Returns:
        tuple[list[str], list[str]]: Image paths and other paths, relative to
        ``folder``, with ``/``, sorted the same on any file system.

    Raises:
        InputError: A folder cannot be read.
    """
    root = os.path.realpath(folder)
    images, others, skipped = [], [], Counter()
    todo, links, seen = deque([('', 1)]), deque(), set()
    while todo or links:
        prefix, level = todo.popleft() if todo else links.popleft()
        place = os.path.join(folder, prefix)
        try:
            where = os.stat(place)
            if (where.st_dev, where.st_ino) in seen:
                continue
            seen.add((where.st_dev, where.st_ino))
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(
                f'folder {place} cannot be read: {error.strerror}. Make it '
                'readable, or move it away.'
            ) from error
        for entry in entries:
            name = entry.name.lower()
            is_folder = entry.is_dir()
            is_image = name.endswith(IMAGE_ENDINGS)
            if name in _SYSTEM or name.startswith(('.', _THUMBNAILS)):
                if is_folder or is_image:
                    skipped[entry.name if is_folder else 'hidden images'] += 1
            elif not is_folder:
                (images if is_image else others).append(prefix + entry.name)
            elif depth is None or level < depth:
                below = f'{prefix}{entry.name}/', level + 1
                if not entry.is_symlink():
                    todo.append(below)
                elif _holds(os.path.realpath(entry), root):
                    skipped[f'{entry.name}, a link to a folder above'] += 1
                else:
                    links.append(below)
    if skipped:
        listed = ', '.join(f'{n} x {name}' for name, n in skipped.items())
        print_log(f'Passed over in {folder}: {listed}.', logger='current')
    return sorted(images), sorted(others)


def _holds(outer: str, inner: str) -> bool:
    return os.path.commonpath((outer, inner)) == outer


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
