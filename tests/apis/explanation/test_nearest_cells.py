"""Nearest cells against scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from bm_plugins.apis.explanation.nearest_cells import nearest_cells
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import tiny_bundle


def test_as_scikit_learn():
    reference = tiny_bundle().reference
    features = torch.randn(5, 64)
    similarities, rows = nearest_cells(features, reference, 6)
    other = NearestNeighbors(n_neighbors=6, metric='cosine')
    other.fit(reference.features.astype(float))
    distances, expected = other.kneighbors(features.double())
    assert np.array_equal(rows, expected)
    np.testing.assert_allclose(1 - similarities, distances, atol=1e-6)


def test_wrong_numbers():
    reference, cell = tiny_bundle().reference, torch.randn(1, 64)
    assert nearest_cells(cell, reference, 99)[1].shape == (1, 30)
    with pytest.raises(InputError, match='--nearest 0'):
        nearest_cells(cell, reference, 0)
    with pytest.raises(InputError, match='64 features a cell.*gives 8'):
        nearest_cells(cell[:, :8], reference, 3)
    empty = replace(reference, features=reference.features[:0])
    with pytest.raises(InputError, match='no reference cells'):
        nearest_cells(cell, empty, 3)
