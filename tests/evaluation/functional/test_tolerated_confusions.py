import numpy as np
import pytest

from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.tolerated_confusions import (
    RECONSTRUCTION,
    read_neighbours,
    tolerate,
)


def test_the_reconstruction():
    pairs = read_neighbours(RECONSTRUCTION, CLASSES)
    named = {(CLASSES[a], CLASSES[b]) for a, b in pairs}
    chain = ['BLA', 'PMO', 'MYB', 'MMZ', 'NGB', 'NGS']
    one_way = {*zip(chain, chain[1:], strict=False)} | {
        ('PEB', 'EBO'),
        ('LYT', 'HAC'),
        ('LYT', 'LYI'),
    }
    assert named == one_way | {(b, a) for a, b in one_way}


def test_neighbours_count_as_right_and_none_is_lost():
    matrix = np.array([[5, 2, 1], [3, 4, 0], [1, 1, 8]])
    found = tolerate(matrix, [(0, 1), (1, 0)])
    assert found.tolist() == [[7, 0, 1], [0, 7, 0], [1, 1, 8]]
    assert matrix[0, 1] == 2  # the strict one stays
    stack = tolerate(np.stack([matrix, matrix]), [(0, 1), (1, 0)])
    assert (stack == found).all()


def test_own_file_and_other_classes(tmp_path):
    file = tmp_path / 'mine.csv'
    file.write_text('code,neighbour\nA,B\nA,X\n')
    assert read_neighbours(file, 'AB') == [(0, 1), (1, 0)]
    with pytest.raises(InputError, match='does not exist'):
        read_neighbours(tmp_path / 'none.csv', 'AB')
    file.write_text('a,b\nA,B\n')
    with pytest.raises(InputError, match='code,neighbour, found a,b'):
        read_neighbours(file, 'AB')
