r"""Images that a person's list names, however it spells their paths.

One rule: ``\`` is ``/``, ``./`` is nothing, composed and decomposed accents
are the same, and what stands in front of a collection's path, up to the name
of its folder, is left out. So ``BM_cytomorphology_data/BLA/1.jpg`` and
``C:\data\BM_cytomorphology_data\BLA\1.jpg`` are ``BLA/1.jpg``.
"""

import os
import posixpath
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from unicodedata import normalize

from bm_plugins.errors import InputError, listed

from .layout import IMAGE_FOLDERS


def plain(path: str) -> str:
    r"""A path with ``/`` for ``\``, without ``./``, accents composed."""
    if '\\' in path:
        path = path.replace('\\', '/')
    if './' in path or '//' in path:
        path = posixpath.normpath(path)
    return path if path.isascii() else normalize('NFC', path)


def _spellings(path: str, names: set[str]) -> Iterator[str]:
    """The plain path, and what is behind each folder of a name."""
    parts = plain(path).split('/')
    yield '/'.join(parts)
    for place in range(len(parts) - 1):
        if parts[place] in names:
            yield '/'.join(parts[place + 1 :])


def _names(folder: str | Path) -> set[str]:
    """What the collection's folder is called."""
    names = set(IMAGE_FOLDERS)
    for place in (Path(os.path.abspath(folder)), Path(folder).resolve()):
        names.add(plain(place.name))
        if place.name in IMAGE_FOLDERS:
            names.add(plain(place.parent.name))
    return names - {''}


def match_paths(
    listed: Sequence[str],
    known: Sequence[str],
    folder: str | Path,
    where: str,
) -> list[str]:
    """Find listed images among those of a collection.

    Beside the rule of this module, a file name alone counts where just one
    image has it.

    Args:
        listed (Sequence[str]): Paths (N,) of a list.
        known (Sequence[str]): Paths of the collection.
        folder (str or Path): What these are relative to.
        where (str): The list, for errors.

    Returns:
        list[str]: Paths (N,) of the collection.

    Raises:
        InputError: Some match no image, or several.
    """
    exact = frozenset(known)
    if exact.issuperset(listed):
        return list(listed)
    by_path, by_name = defaultdict(set), defaultdict(set)
    for path in known:
        spelling = plain(path).strip()
        by_path[spelling].add(path)
        by_name[spelling.rpartition('/')[2]].add(path)
    names, found, wrong = _names(folder), [], []
    for path in listed:
        spellings = list(_spellings(path, names))
        hits = {path} & exact or set().union(
            *(by_path.get(spelling, ()) for spelling in spellings)
        )
        if not hits and '/' not in spellings[0]:
            hits = by_name.get(spellings[0], hits)
        if len(hits) == 1:
            found.extend(hits)
        else:
            wrong.append(path + (' (several have this name)' if hits else ''))
    if wrong:
        raise unmatched(
            where, wrong, len(listed), folder, min(exact, default='')
        )
    return found


def unmatched(
    where: str,
    wrong: Sequence[str],
    number: int,
    folder: str | Path,
    example: str = '',
) -> InputError:
    """The error for rows of a list that match no image.

    Args:
        where (str): The list.
        wrong (Sequence[str]): Its paths that match none.
        number (int): All of its rows.
        folder (str or Path): What paths are relative to.
        example (str): A path that would match. Defaults to none.
    """
    named = listed(wrong)
    like = f', as {example}' if example else ''
    return InputError(
        f'{where}: {len(wrong)} of {number} rows match no image: {named}. '
        f'Expected paths relative to {folder}{like}. Mend or delete these '
        'rows, or complete the folder.'
    )


def on_disk(
    paths: Sequence[str], folder: str | Path
) -> tuple[list[str], list[int]]:
    """Paths as the folder spells them; each folder below it is listed once.

    Returns:
        tuple: The paths (N,), and the numbers of those that are not there,
        which stay as they are.
    """
    present: dict[str, dict[str, str]] = {}

    def entries(parent: str) -> dict[str, str]:
        if parent not in present:
            try:
                names = os.listdir(os.path.join(folder, parent))
            except (OSError, ValueError):  # none, or a NUL in the name
                names = []
            present[parent] = {plain(n).strip(): n for n in names}
            present[parent].update((n, n) for n in names)
        return present[parent]

    def spelled(path: str) -> str | None:
        found = ''
        for part in path.split('/'):
            name = '..' if part == '..' else entries(found).get(part)
            if name is None:
                return None
            found = os.path.join(found, name)
        return found

    missing = []
    for row, path in enumerate(paths):
        parent, _, name = path.rpartition('/')
        odd = path[:1] == '/' or './' in path or '//' in path
        if odd or entries(parent).get(name) != name:
            missing.append(row)
    if not missing:
        return list(paths), []
    found, gone, names = list(paths), [], _names(folder)
    for row in missing:
        hits = map(spelled, _spellings(paths[row], names))
        hit = next((path for path in hits if path), None)
        if hit is None:
            gone.append(row)
        else:
            found[row] = hit
    return found, gone


def check_files(
    paths: Sequence[str], folder: str | Path, manifest: str | Path
) -> None:
    """Each file under ``folder`` is there; no file is opened.

    Raises:
        InputError: The folder, or a file that ``manifest`` names, is missing.
    """
    if not os.path.isdir(folder):
        raise InputError(f'image folder {folder} does not exist.')
    if missing := on_disk(paths, folder)[1]:
        named = listed(paths[row] for row in missing)
        raise InputError(
            f'{manifest} names {len(missing)} file(s) that are not in '
            f'{folder}: {named}. Complete the folder, or '
            'write the manifest anew by tools/prepare_matek.py.'
        )
