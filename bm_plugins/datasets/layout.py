"""Where a collection keeps its images, and what their paths say."""

import os
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from unicodedata import normalize

from mmengine.logging import print_log

from bm_plugins.errors import InputError

from .class_set import check_classes, did_you_mean

IMAGE_FOLDERS = ('BM_cytomorphology_data', 'bone_marrow_cell_dataset')
IMAGE_ENDINGS = (
    *('.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.tif', '.tiff', '.bmp'),
    '.webp',
)
# Pictures of other kinds, which must not be passed over without a word.
OTHER_IMAGES = (
    *('.gif', '.heic', '.heif', '.avif', '.jp2', '.j2k', '.jxl', '.psd'),
    *('.dng', '.cr2', '.nef', '.arw', '.raw', '.dcm', '.lif', '.lsm'),
    *('.ppm', '.pgm', '.pnm', '.pbm', '.tga', '.exr', '.oib', '.zvi'),
    *('.svs', '.ndpi', '.czi', '.scn', '.mrxs', '.vsi', '.nd2', '.bif'),
)
# What systems, storage boxes and archivers add, in lower case; what starts
# with a dot is hidden.
_SYSTEM = (
    *('__macosx', '@eadir', '$recycle.bin', 'recycler', '#recycle'),
    *('@recycle', '#snapshot', '@recently-snapshot', 'lost+found'),
    *('~snapshot', 'network trash folder', 'temporary items'),
    *('system volume information', 'found.000'),
    *('thumbs.db', 'ehthumbs.db', 'desktop.ini'),
)
_THUMBNAILS = 'synofile_thumb_'


def find_image_folder(data_root: str | Path) -> Path:
    """The release's or the mirror's image folder, else ``data_root`` itself.

    Returns:
        Path: The folder that manifest paths are relative to.
    """
    root = Path(data_root)
    for name in IMAGE_FOLDERS:
        if (root / name).is_dir():
            return root / name
    return root


def existing_image_folder(
    data_root: str | Path, classes: Sequence[str] = ()
) -> Path:
    """As :func:`find_image_folder`, of a folder that must be there.

    Args:
        data_root (str or Path): Folder of the collection.
        classes (Sequence[str]): Codes of which no folder may stand beside the
            image folder, where it would be passed over. Defaults to none.

    Raises:
        InputError: ``data_root`` is no folder, or a class folder stands so.
    """
    if not Path(data_root).is_dir():
        raise InputError(
            f'{data_root} is no folder. Give the folder that holds '
            'BM_cytomorphology_data (or the class folders themselves).'
        )
    folder = find_image_folder(data_root)
    names = (*IMAGE_FOLDERS, *classes)
    beside = [name for name in names if Path(data_root, name).is_dir()]
    if classes and folder.name in beside and len(beside) > 1:
        beside.remove(folder.name)
        raise InputError(
            f'{data_root} holds {", ".join(beside)} beside {folder.name}, of '
            'which alone images are read. Move all class folders into it, or '
            'the others elsewhere.'
        )
    return folder


@lru_cache(maxsize=4096)
def _folder_code(folder: str, classes: tuple[str, ...]) -> str | None:
    """The deepest folder that is named as a class.

    Raises:
        InputError: It is a number, and in a folder of another class: one of
            them may be a patient's.
    """
    named = [p for p in normalize('NFC', folder).split('/') if p in classes]
    if len({*named}) > 1 and named[-1].isdecimal():
        raise InputError(
            f'folder {folder} names the classes {" and ".join(named)}. If '
            'one of the numbers is of a patient or a smear, rename that '
            f'folder, as patient_{named[0]}, or give the classes names.'
        )
    return named[-1] if named else None


def labels_of(paths: Iterable[str], classes: Sequence[str]) -> list[str]:
    """Class codes that relative paths stand for.

    The class folder gives the code; a file-name prefix (``BLA_00001.jpg``)
    that is a code too must agree, and alone it counts in a flattened tree. A
    number in front of a name (``2_0001.jpg``) is mostly none: in a class
    folder it does not count.

    Args:
        paths (Iterable[str]): Paths relative to the image folder, with ``/``.
        classes (Sequence[str]): The known codes.

    Raises:
        InputError: Folder and prefix differ, or neither is a known code; or
            folders within each other are named as classes by numbers.
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
        'a config class_set=dict(classes=...)).'
    )


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
            is_folder = _is_folder(entry)
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


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _holds(outer: str, inner: str) -> bool:
    return os.path.commonpath((outer, inner)) == outer


def check_some(images: Sequence[str], folder: str | Path) -> None:
    """Raise InputError where a folder holds no images."""
    if not images:
        raise InputError(
            f'{folder} holds no images; expected <CODE>/<range>/<CODE>_'
            '00001.jpg or <CODE>/<file>.jpg.'
        )


def list_pictures(folder: str | Path, depth: int | None = None) -> list[str]:
    """Images of a folder, and pictures of kinds that are not read.

    Arguments and errors as for :func:`list_images`; reading says why.
    """
    images, others = list_images(folder, depth)
    others = [name for name in others if name.lower().endswith(OTHER_IMAGES)]
    return sorted(images + others)
