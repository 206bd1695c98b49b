"""The collection: manifest, classes, files, some images."""

import os
from collections import Counter
from pathlib import Path

from bm_plugins.datasets.image_io import find_fault
from bm_plugins.datasets.layout import find_image_folder
from bm_plugins.datasets.listed_paths import check_files
from bm_plugins.datasets.manifest import (
    bits_of,
    is_verified,
    label_indices,
    read_manifest,
)
from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.errors import InputError

from .finding import OK, PROBLEM, WARNING, Finding

DEFAULT = 'data/matek'  # as in configs/_base_/datasets
SAMPLE = 20


def check(data_root: str | None = None) -> list[Finding]:
    """Look at the manifest, that its files are there, and decode some."""
    given = data_root or os.environ.get('BM_DATA_ROOT')
    root = Path(given or DEFAULT)
    if not given and not root.is_dir():
        text = (
            'none: export BM_DATA_ROOT=/path/to/your/cells, or draw some: '
            'python tools/make_synthetic_marrow.py data/synthetic'
        )
        return [Finding(WARNING, 'data', text)]
    try:
        return _look(root)
    except InputError as error:
        return [Finding(PROBLEM, 'data', str(error))]


def _look(root: Path) -> list[Finding]:
    if not root.is_dir():
        raise InputError(
            f'{root} is no folder. Give the folder that holds split.csv and '
            'the images, by --data or BM_DATA_ROOT.'
        )
    manifest = root / 'split.csv'
    folder = str(find_image_folder(root))
    paths, labels, splits, folds = read_manifest(manifest, folder=folder)
    own = sorted({*labels} - {*CLASSES})
    classes = tuple(sorted({*labels})) if own else CLASSES
    label_indices(paths, labels, classes, manifest)
    check_files(paths, folder, manifest)
    parts = Counter(splits)
    counts = ', '.join(f'{n} {part}' for part, n in parts.items())
    numbers = len({*folds} - {None})
    text = (
        f'{manifest}: {len(paths)} images of {len({*labels})} classes '
        f'({counts}; {numbers or "no"} folds)'
    )
    findings = [Finding(OK, 'data', text)]
    if own:
        text = (
            f'codes that the release does not have: {" ".join(own)}. Name '
            'your classes in the config: class_set=dict(classes=...).'
        )
        findings.append(Finding(WARNING, 'classes', text))
    if missing := [part for part in ('train', 'test') if not parts[part]]:
        text = (
            f'{manifest} has no part {" and no part ".join(missing)}. Write '
            f'it anew: python tools/prepare_matek.py {root} --overwrite'
        )
        findings.append(Finding(WARNING, 'parts', text))
    findings.append(_decode(paths, folder, bits_of(manifest, paths, folder)))
    if not is_verified(manifest):
        text = (
            f'not every image of {manifest} was decoded yet: python '
            f'tools/prepare_matek.py {root} --check'
        )
        findings.append(Finding(WARNING, 'verified', text))
    return findings


def _decode(paths: list[str], folder: str, bits: int | None) -> Finding:
    """Decode images at even distances, the first and the last too."""
    count = min(SAMPLE, len(paths))
    last = len(paths) - 1
    rows = [round(i * last / max(count - 1, 1)) for i in range(count)]
    for row in rows:
        if reason := find_fault(paths[row], folder, bits):
            text = (
                f'{Path(folder, paths[row])} cannot be read: {reason}. '
                'Restore it, or write the manifest anew by '
                'tools/prepare_matek.py --overwrite.'
            )
            return Finding(PROBLEM, 'images', text)
    return Finding(OK, 'images', f'a sample of {count} can be decoded')
