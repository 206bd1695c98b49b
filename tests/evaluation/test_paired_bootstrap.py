import numpy as np
import pytest
from sklearn.metrics import f1_score

from bm_plugins.errors import InputError
from bm_plugins.evaluation.paired_bootstrap import (
    interval,
    macro_f1_differences,
)


def runs(rng, labels, *accuracies):
    for accuracy in accuracies:
        right = rng.random(len(labels)) < accuracy
        yield np.where(right, labels, rng.integers(0, 6, len(labels)))


def test_observed_and_drawn_differences_equal_scikit_learn():
    rng = np.random.default_rng(1)
    labels = rng.choice([0, 2, 3], 60)  # 1, 4 and 5 are predicted at most
    a, b = runs(rng, labels, 0.3, 0.7)
    observed, draws = macro_f1_differences(labels, [a], [b], 200, seed=7)

    def macro(run, rows):
        return f1_score(
            labels[rows],
            run[rows],
            labels=[0, 2, 3],
            average='macro',
            zero_division=0,
        )

    rows = np.arange(60)
    assert observed == pytest.approx([macro(b, rows) - macro(a, rows)])
    counts = np.random.default_rng(7).multinomial(60, [1 / 60] * 60, 200)
    expected = []
    for count in counts:
        rows = np.repeat(np.arange(60), count)
        expected.append(macro(b, rows) - macro(a, rows))
    np.testing.assert_allclose(draws[0], expected, atol=1e-12)


def test_interval_covers_no_difference_as_often_as_it_says():
    """Of 200 pairs of equal classifiers some 95 % cover 0."""
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        labels = rng.integers(0, 4, 150)
        a, b = runs(rng, labels, 0.5, 0.5)
        _, draws = macro_f1_differences(labels, [a], [b], 400, seed)
        (low,), (high,) = interval(draws)
        covered += low <= 0 <= high
    assert 0.90 < covered / 200 < 0.99


def test_runs_must_pair():
    labels = np.zeros(3, int)
    with pytest.raises(InputError, match='1 runs before and 2 after'):
        macro_f1_differences(labels, [labels], [labels, labels])
    with pytest.raises(InputError, match='different numbers'):
        macro_f1_differences(labels, [labels], [labels[:2]])
