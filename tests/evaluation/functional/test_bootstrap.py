import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.bootstrap import (
    _count_cells,
    bootstrap_matrices,
)


def case(n=60):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, n)
    runs = [
        np.where(rng.random(n) < p, labels, rng.integers(0, 5, n))
        for p in (0.3, 0.7)
    ]
    return labels, runs


def test_draws_are_of_the_images_and_the_same_for_each_run():
    labels, runs = case()
    drawn = np.concatenate([*bootstrap_matrices(labels, runs, 5, 50, 7)], 1)
    assert drawn.shape == (2, 50, 5, 5)
    cells, counts = np.unique(
        np.stack([labels, *runs], 1), axis=0, return_counts=True
    )
    again = np.random.default_rng(7).multinomial(60, counts / 60, 50)
    for draw, times in enumerate(again):
        images = np.repeat(cells, times, axis=0)
        for run in range(2):
            np.testing.assert_array_equal(
                drawn[run, draw],
                confusion_matrix(
                    images[:, 0], images[:, 1 + run], labels=range(5)
                ),
            )


def test_same_spread_as_drawing_images_one_by_one():
    labels, (run, _) = case(200)
    (drawn,) = next(bootstrap_matrices(labels, [run], 5, 4000))
    accuracy = np.trace(drawn, axis1=1, axis2=2) / 200
    rng = np.random.default_rng(0)
    right = (labels == run)[rng.integers(0, 200, (4000, 200))].mean(1)
    assert accuracy.mean() == pytest.approx(right.mean(), abs=0.003)
    assert accuracy.std() == pytest.approx(right.std(), rel=0.05)


def test_large_draws_come_in_parts():
    labels, runs = case(3000)
    parts = [*bootstrap_matrices(labels, runs, 5, 50_000)]
    assert len(parts) > 1 and sum(p.shape[1] for p in parts) == 50_000


def test_other_numbers_of_images():
    labels, runs = case()
    with pytest.raises(InputError, match=r'\[59\] for 60 labels'):
        next(bootstrap_matrices(labels, [runs[0][1:]], 5))
    with pytest.raises(InputError, match='or of none'):
        next(bootstrap_matrices(labels[:0], [], 5))


def test_cells_are_the_rows_that_occur():
    labels, (one, other) = case(500)
    for columns in ([labels, one], [labels, one, other], [labels] * 30):
        cells, counts = _count_cells(columns, 5)
        expected = np.unique(np.stack(columns, 1), axis=0, return_counts=True)
        np.testing.assert_array_equal(cells, expected[0])
        np.testing.assert_array_equal(counts, expected[1])
