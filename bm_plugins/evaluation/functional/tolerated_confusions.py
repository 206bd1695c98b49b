"""A score that forgives confusions of neighbouring classes.

Matek et al. 2021 (Blood 138(20):1917-1927) report a tolerant score beside the
strict one. Their exact list of tolerated confusions is not published;
``tolerant_reconstruction.csv`` is a reconstruction, the neighbours in
maturation that fit the published sums. Edit it or give your own.
"""

from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

import numpy as np

from bm_plugins.utils.csv_file import read_csv

RECONSTRUCTION = Path(__file__).with_name('tolerant_reconstruction.csv')


def read_neighbours(
    file: str | Path, codes: Sequence[str]
) -> list[tuple[int, int]]:
    """Pairs of class indices that may be confused.

    Args:
        file (str or Path): CSV with the columns ``code,neighbour``, each pair
            once, in either order.
        codes (Sequence[str]): The class codes, in label order.

    Returns:
        list[tuple[int, int]]: Both orders of each pair of known codes; pairs
        with a code of another class set are left out.

    Raises:
        InputError: The file or a column is missing.
    """
    index = {code: i for i, code in enumerate(codes)}
    pairs = set()
    for _, row in read_csv(file, ['code', 'neighbour'], what='neighbours'):
        a, b = (index.get(normalize('NFC', x)) for x in row.values())
        if a is not None and b is not None:
            pairs |= {(a, b), (b, a)}
    return sorted(pairs)


def tolerate(
    matrix: np.ndarray, neighbours: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Count a prediction of a neighbour as one of the true class.

    ``neighbours`` are (true, predicted) cells of the matrices (..., C, C),
    whose counts move to the diagonal.
    """
    matrix = matrix.copy()
    for true, predicted in neighbours:
        matrix[..., true, true] += matrix[..., true, predicted]
        matrix[..., true, predicted] = 0
    return matrix
