import numpy as np
import pytest
from benchmarks.memory import peak_mb
from sklearn.neighbors import NearestNeighbors

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.feature_distance import (
    distance_threshold,
    knn_distance,
)


def test_by_hand():
    reference = np.array([[2.0, 0], [0, 3], [-1, 0], [3, 4]])
    features = np.array([[5.0, 0], [0, 0]])
    # Cosines of the first: 1, 0, -1, .6.
    found = knn_distance(features, reference, neighbours=2)
    np.testing.assert_allclose(found, [0.2, 1.0], rtol=1e-6)
    found = knn_distance(features, reference, neighbours=9)
    np.testing.assert_allclose(found, [1 - 0.6 / 4, 1.0], rtol=1e-6)


@pytest.mark.parametrize('kind', [np.float16, np.float32])
def test_equals_scikit_learn_over_several_pieces(kind):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(7000, 8)).astype(kind)
    reference = rng.normal(size=(5000, 8)).astype(np.float16)
    found = knn_distance(features, reference)
    search = NearestNeighbors(n_neighbors=5, metric='cosine')
    search.fit(reference.astype(float))
    some = slice(0, 7000, 10)
    expected = search.kneighbors(features[some].astype(float))[0].mean(1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[some], expected, rtol=0, atol=1e-6)


def test_a_known_cell_is_at_no_distance():
    reference = np.random.default_rng(0).normal(size=(30, 64))
    own = knn_distance(7 * reference, reference, neighbours=1)
    assert own.min() >= 0 and own.max() < 1e-6


@pytest.mark.slow
def test_memory_does_not_grow_with_the_cells():
    rng = np.random.default_rng(0)
    reference, features = rng.random((5000, 4)), rng.random((15_000, 4))
    # All similarities at once are 600 MB.
    assert peak_mb(lambda: knn_distance(features, reference)) < 200


def test_threshold():
    distances = np.arange(1, 20) / 20  # 19 of them
    # ceil(20 * .95) = 19th smallest.
    assert distance_threshold(distances, 0.95) == pytest.approx(0.95)
    assert distance_threshold(distances, 0.5) == pytest.approx(0.5)
    assert distance_threshold(distances, 0.99) == np.inf


def test_another_kind_of_cell_is_beyond_the_threshold():
    rng = np.random.default_rng(1)
    known = rng.normal(3, 1, (1700, 16))
    reference, validation, new = np.split(known, [500, 1500])
    threshold = distance_threshold(knn_distance(validation, reference), 0.95)
    share = (knn_distance(new, reference) > threshold).mean()
    # 5 % within three standard errors, of 1000 and of 200 cells.
    assert share < 0.05 + 3 * np.sqrt(0.05 * 0.95 * (1 / 200 + 1 / 1000))
    other = rng.normal(-3, 1, (200, 16))
    assert (knn_distance(other, reference) > threshold).all()


def test_errors():
    some = np.ones((3, 4))
    with pytest.raises(InputError, match='at least one reference'):
        knn_distance(some, some[:0])
    with pytest.raises(InputError, match=r'\(3, 4\) and .* \(2, 5\)'):
        knn_distance(some, np.ones((2, 5)))
    for bad in (np.inf, np.nan):
        broken = some.copy()
        broken[1, 2] = bad
        with pytest.raises(InputError, match='1 of 3 cells'):
            knn_distance(broken, some)
