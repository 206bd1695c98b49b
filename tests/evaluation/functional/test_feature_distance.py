import numpy as np
import pytest
import torch
from benchmarks.memory import peak_mb
from sklearn.neighbors import NearestNeighbors

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.feature_distance import (
    distance_threshold,
    knn_distance,
)


def test_by_hand():
    reference = torch.tensor([[2.0, 0], [0, 3], [-1, 0], [3, 4]])
    features = torch.tensor([[5.0, 0], [0, 0]])
    # Cosines of the first: 1, 0, -1, .6.
    found = knn_distance(features, reference, neighbours=2)
    torch.testing.assert_close(found, torch.tensor([0.2, 1.0]))
    found = knn_distance(features, reference, neighbours=9)
    torch.testing.assert_close(found, torch.tensor([1 - 0.6 / 4, 1.0]))


@pytest.mark.parametrize('kind', [torch.float16, torch.float32])
def test_equals_scikit_learn_over_several_pieces(kind):
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(size=(7000, 8))).to(kind)
    reference = torch.from_numpy(rng.normal(size=(5000, 8))).half()
    found = knn_distance(features, reference)
    search = NearestNeighbors(n_neighbors=5, metric='cosine')
    search.fit(reference.double())
    some = slice(0, 7000, 10)
    expected = search.kneighbors(features[some].double())[0].mean(1)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[some], expected, rtol=0, atol=1e-6)


def test_a_known_cell_is_at_no_distance():
    reference = torch.randn(30, 64, generator=torch.manual_seed(0))
    own = knn_distance(7 * reference, reference, neighbours=1)
    assert own.min() >= 0 and own.max() < 1e-6


def test_memory_does_not_grow_with_the_cells():
    reference, features = torch.randn(5000, 4), torch.randn(15_000, 4)
    # All similarities at once are 300 MB.
    assert peak_mb(lambda: knn_distance(features, reference)) < 200


def test_threshold():
    distances = torch.arange(1, 20) / 20  # 19 of them
    # ceil(20 * .95) = 19th smallest.
    assert distance_threshold(distances, 0.95) == pytest.approx(0.95)
    assert distance_threshold(distances, 0.5) == pytest.approx(0.5)
    assert distance_threshold(distances, 0.99) == np.inf


def test_another_kind_of_cell_is_beyond_the_threshold():
    rng = np.random.default_rng(1)
    known = torch.from_numpy(rng.normal(3, 1, (1700, 16)))
    reference, validation, new = known.split([500, 1000, 200])
    threshold = distance_threshold(knn_distance(validation, reference), 0.95)
    share = (knn_distance(new, reference) > threshold).double().mean()
    # 5 % within three standard errors, of 1000 and of 200 cells.
    assert share < 0.05 + 3 * np.sqrt(0.05 * 0.95 * (1 / 200 + 1 / 1000))
    other = torch.from_numpy(rng.normal(-3, 1, (200, 16)))
    assert (knn_distance(other, reference) > threshold).all()


def test_errors():
    some = torch.ones(3, 4)
    with pytest.raises(InputError, match='at least one reference'):
        knn_distance(some, some[:0])
    with pytest.raises(InputError, match=r'\(3, 4\) and .* \(2, 5\)'):
        knn_distance(some, torch.ones(2, 5))
    for bad in (torch.inf, torch.nan):
        broken = some.clone()
        broken[1, 2] = bad
        with pytest.raises(InputError, match='1 of 3 cells'):
            knn_distance(broken, some)
