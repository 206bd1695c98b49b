"""What folders and lists say of the parts, before an image is decoded."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from bm_plugins.datasets.listed_paths import match_paths, plain, unmatched
from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import read_csv

from .parts_of_fold import folder_parts


@dataclass(frozen=True)
class Given:
    """What is given.

    Attributes:
        parts (dict[str, str]): ``train``, ``val`` or ``test`` by path; empty
            where the parts are to be drawn.
        groups (dict[str, str]): Group by path, of those that are in one.
        text (str): What of this a protocol says.
    """

    parts: dict[str, str]
    groups: dict[str, str]
    text: str


def read_given(
    labels: Mapping[str, str],
    folder: Path,
    classes: Sequence[str],
    test_list: str | Path | None = None,
    groups: str | Path | None = None,
    contiguous: bool = False,
    ignore_folders: bool = False,
) -> Given:
    """Read the lists and the folders' names.

    Args:
        labels (Mapping[str, str]): Class code by path, of all images.
        folder (Path): What paths are relative to.
        classes (Sequence[str]): Class codes.
        test_list, groups, contiguous, ignore_folders: As for :func:`prepare`.

    Raises:
        InputError: A list cannot be read or names other images, or list,
            groups and folders contradict each other.
    """
    images = list(labels)
    parts = {} if ignore_folders else folder_parts(images, classes)
    if parts and (test_list or contiguous):
        raise InputError(
            f'{folder} has folders for train and test, which say the parts; '
            'leave out --test-list and --contiguous, or add --ignore-folders.'
        )
    together = _read_groups(groups, images, folder) if groups else {}
    text = []
    if parts:
        text.append('parts of the folders')
        _check_crossing(together, parts, groups)
    if test_list:
        text.append(f'test list {Path(test_list).name}')
        parts = _read_test_list(test_list, labels, folder)
    if groups:
        text.append(f'groups of {Path(groups).name} together')
    if ignore_folders:
        text.append('folders ignored')
    return Given(parts, together, ', '.join(text))


def _read_groups(
    file: str | Path, images: Sequence[str], folder: Path
) -> dict[str, str]:
    """Group by path; an image has one."""
    table = read_csv(file, ['path', 'group'], what='--groups')
    paths = table.columns['path']
    # One patient, in any case, form of accents and kind of spaces: too few
    # groups leak nothing.
    names = [
        ' '.join(normalize('NFC', cell).casefold().split())
        for cell in table.columns['group']
    ]
    found: dict[str, str] = {}
    matched = match_paths(paths, images, folder, f'--groups {file}')
    for line, path, name in zip(table.lines, matched, names, strict=True):
        if found.setdefault(path, name) != name:
            raise InputError(
                f'--groups {file}, line {line}: {path} is of group {name}, '
                f'but was of {found[path]} above. Give an image one group.'
            )
    print(
        f'{file}: {len(found)} of {len(images)} images in '
        f'{len({*names})} groups; each of the others by itself.'
    )
    return found


def _check_crossing(
    together: Mapping[str, str],
    fixed: Mapping[str, str],
    groups: str | Path | None,
) -> None:
    """Folders keep no group apart."""
    parts = defaultdict(set)
    for path, group in together.items():
        parts[group].add(fixed[path])
    if crossing := [group for group, has in parts.items() if len(has) > 1]:
        raise InputError(
            f'--groups {groups}: {len(crossing)} groups are in several of the '
            f'folders train, val and test, the first: {crossing[0]}. Move '
            'their images into one, or draw parts anew by --ignore-folders.'
        )


def _read_test_list(
    file: str | Path, labels: Mapping[str, str], folder: Path
) -> dict[str, str]:
    """``test`` by path; each row is one image, by its file name."""
    where = f'--test-list {file}'
    table = read_csv(file, ['path', 'label'], what='--test-list')
    if not table.lines:
        raise InputError(f'{where} names no image.')
    by_name = defaultdict(list)
    for path in labels:
        by_name[plain(path).rpartition('/')[2]].append(path)
    found, wrong = {}, []
    for path, code in zip(*table.columns.values(), strict=True):
        said = '/' + plain(path)
        hits = by_name[said.rpartition('/')[2]]
        if len(hits) > 1:  # the folders in front may tell
            own = [hit for hit in hits if said.endswith('/' + plain(hit))]
            hits = own or hits
        code = normalize('NFC', code)
        if len(hits) == 1 and labels[hits[0]] == code:
            found[hits[0]] = 'test'
        else:
            has = ' and '.join(f'{hit} ({labels[hit]})' for hit in hits)
            wrong.append(f'{path} of class {code} (found {has or "none"})')
    if wrong:
        raise unmatched(where, wrong, len(table.lines), folder)
    return found
