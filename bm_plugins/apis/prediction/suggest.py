"""Which cells to label next."""

import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from bm_plugins.apis.bundle.bundle_file import load_bundle
from bm_plugins.datasets.listed_paths import match_paths
from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import read_csv, write_csv

from .cell_list import list_cells, printable
from .predict import Outcome, predict
from .table import read_scores, read_table

FILE = 'suggestions.csv'
WAYS = ('typical', 'uncertain', 'random')
# Nearest neighbours by which a cell is typical, and clusters at most: those
# of the method's authors.
_NEIGHBOURS, _CLUSTERS = 20, 500
# Features of a cosine nearer to 1 are of the same image.
_SAME = 1e-6
# Uncertain cells to choose from, for each that is wanted.
_DOUBTFUL = 10


def suggest(
    bundle: str | Path,
    cells: str | Path,
    out: str | Path,
    number: int,
    labelled: str | Path | None = None,
    by: str = 'typical',
    seed: int = 0,
    **options: object,
) -> Outcome:
    """Predict a folder, choose cells to label, and make a page of them.

    Args:
        bundle (str or Path): By ``tools/publish.py``.
        cells (str or Path): As for :func:`predict`.
        out (str or Path): Folder to write to: ``all``, the prediction of all
            cells, ``suggestions.csv`` and ``page``, that of the suggestions.
        number (int): Cells to suggest.
        labelled (str or Path, optional): CSV with ``path``, of cells that
            have a label already.
        by (str): As for :func:`choose`.
        seed (int): Of what is drawn. Defaults to 0.
        **options: As for :func:`predict`.

    Returns:
        Outcome: Of the prediction of the suggested cells.

    Raises:
        InputError: There are not as many cells without a label, ``out``
            holds other suggestions, or as :func:`predict`.
    """
    if number < 1:
        raise InputError(f'--number {number}: expected 1 or more.')
    if by not in WAYS:
        raise InputError(f'--by {by}: expected one of {", ".join(WAYS)}.')
    if not 0 <= seed < 2**32:
        raise InputError(f'--seed {seed}: expected 0 to {2**32 - 1}.')
    out = Path(out)
    features, table = out / 'features.h5', out / 'all/predictions.csv'
    predict(bundle, cells, out / 'all', features, **options)
    classes, found = load_bundle(bundle).classes, list_cells(cells)
    with h5py.File(features) as stream:
        values = stream['features'][:]
    rows, scores = [*read_table(table, classes)], read_scores(table, classes)
    # What is chosen is not to hang on the order of a list.
    order = sorted(range(len(rows)), key=lambda i: rows[i].path)
    rows = [rows[i] for i in order]
    place = {row.path: i for i, row in enumerate(rows)}
    known = []
    if labelled:
        given = read_csv(labelled, ['path'], what='labelled').columns['path']
        where = f'labelled {labelled}'
        paths = match_paths(given, [*place], found.folder, where)
        known = [place[path] for path in paths]
    chosen = choose(values[order], scores[order], known, number, by, seed)
    scaled = bool(found.said_um_per_px())
    number_of = {printable(found[n]): n for n in range(len(found))}
    suggested = []
    for row in (rows[i] for i in chosen):
        n = number_of[row.path]
        path = _seen_from(out, found.folder, found[n])
        scale = [found.um_per_px(n) or ''] if scaled else []
        suggested.append([path, row.code, f'{row.confidence:.6f}', *scale])
    columns = ['path', 'code', 'confidence', *['um_per_px'] * scaled]
    file = out / FILE
    if file.is_file() and not options.get('overwrite'):
        before = read_csv(file, ['path']).columns['path']
        if before != [row[0] for row in suggested]:
            raise InputError(
                f'{out} holds other suggestions. Choose another --out, or '
                'delete what is there by --overwrite.'
            )
    write_csv(file, columns, suggested)
    return predict(bundle, file, out / 'page', **options)


def _seen_from(out: Path, folder: Path, path: str) -> str:
    """A cell's path relative to ``out``; with the name of its folder.

    By that name ``--labelled`` knows the cell again. Links are followed: of
    what they lead to is ``..`` the folder above.
    """
    real = folder.resolve()
    above = os.path.relpath(real.parent, out.resolve())
    return os.path.join(above, real.name, path)


def choose(
    features: np.ndarray,
    scores: np.ndarray,
    labelled: Sequence[int],
    number: int,
    by: str = 'typical',
    seed: int = 0,
) -> list[int]:
    """Cells whose labels would help most, in that order.

    ``'typical'`` is TypiClust (Hacohen, Dekel and Weinshall 2022,
    arXiv:2202.02794, section 3): K-means with as many clusters as there will
    be labels; of each of the largest without a label the cell with the least
    mean distance to its 20 nearest neighbours there. ``'uncertain'`` takes
    the cells whose two likeliest classes are nearest (Scheffer et al. 2001),
    one of each cluster of ten times as many. No image is chosen that equals
    another or a labelled one.

    Args:
        features (np.ndarray): (N, D) of all cells.
        scores (np.ndarray): Probabilities (N, C) of all cells.
        labelled (Sequence[int]): Those that have a label.
        number (int): Cells to choose.
        by (str): One of ``WAYS``. Defaults to ``'typical'``.
        seed (int): Of what is drawn. Defaults to 0.

    Returns:
        list[int]: Rows (``number``,).

    Raises:
        InputError: There are not so many different cells.
    """
    unit = features - features.mean(0)
    unit = unit / np.maximum(unit.std(0), 1e-6)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-6)
    free = _different(unit, labelled)
    if len(free) < number:
        raise InputError(
            f'--number {number}: {len(free)} different cells have no label.'
        )
    if by == 'random':
        return np.random.default_rng(seed).permutation(free)[:number].tolist()
    if by == 'typical':
        return _typical(unit, free, [*labelled], number, seed)
    ranked = np.sort(scores[free], 1)
    margin = ranked[:, -1] - ranked[:, -2]
    near = np.argsort(margin, kind='stable')[: _DOUBTFUL * number]
    cluster = _clusters(unit[free[near]], number, seed)
    first = [np.flatnonzero(cluster == k)[0] for k in range(number)]
    return free[near[np.sort(first)]].tolist()


def _different(unit: np.ndarray, labelled: Sequence[int]) -> np.ndarray:
    """Rows without a label that equal no labelled and no earlier one."""
    # What is the same lies near on any line.
    line = unit @ np.random.default_rng(0).normal(size=unit.shape[1])
    places = np.argsort(line)
    rank = np.ones(len(unit), bool)
    rank[np.array(labelled, int)] = False
    same_as = np.arange(len(unit))
    for at, i in enumerate(places):
        for j in places[:at][::-1]:
            if line[i] - line[j] > _SAME**0.5 * 10:
                break
            if unit[i] @ unit[j] > 1 - _SAME:
                same_as[i] = same_as[j]
                break
    first: dict[int, int] = {}
    for i in np.lexsort((np.arange(len(unit)), rank)):
        first.setdefault(same_as[i], int(i))
    kept = np.array(sorted(first.values()), int)
    return kept[rank[kept]]


def _clusters(unit: np.ndarray, number: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    return KMeans(number, n_init=1, random_state=seed).fit_predict(unit)


def _typical(
    unit: np.ndarray,
    free: np.ndarray,
    labelled: list[int],
    number: int,
    seed: int,
) -> list[int]:
    rows = np.concatenate([free, np.array(labelled, int)])
    count = min(len(labelled) + number, _CLUSTERS, len(rows))
    cluster = _clusters(unit[rows], count, seed)
    taken = np.bincount(cluster[len(free) :], minlength=count)
    left = [rows[: len(free)][cluster[: len(free)] == k] for k in range(count)]
    sizes = np.bincount(cluster, minlength=count)
    chosen: list[int] = []
    while len(chosen) < number:
        # Few labels first, of these the largest; an empty one last.
        k = min(
            (k for k in range(count) if len(left[k])),
            key=lambda k: (taken[k], -sizes[k]),
        )
        own = left[k]
        like = unit[own] @ unit[own].T
        near = np.sort(like, 1)[:, ::-1][:, 1 : _NEIGHBOURS + 1]
        far = np.sqrt(np.maximum(2 - 2 * near, 0))
        best = int(far.mean(1).argmin()) if len(own) > 1 else 0
        chosen.append(int(own[best]))
        left[k] = np.delete(own, best)
        taken[k] += 1
    return chosen
