from time import perf_counter

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score

from bm_plugins.datasets.matek_classes import CLASSES, SUPPORTS
from bm_plugins.evaluation.functional.calibration import (
    debiased_calibration_error,
)
from bm_plugins.evaluation.functional.intervals import wilson
from bm_plugins.evaluation.metrics.scores import class_groups, figures_of

CODES = ('A', 'B', 'C', 'D', 'E')  # E has no test image


def case(n=300, seed=0, accuracy=0.6):
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, n, p=[0.5, 0.3, 0.17, 0.03])
    scores = rng.dirichlet(np.ones(5), n)
    right = rng.random(n) < accuracy
    scores[right, labels[right]] += 1
    return labels, scores / scores.sum(1, keepdims=True)


def test_values_are_scikit_learns():
    labels, scores = case()
    said = scores.argmax(1)
    support = np.bincount(labels, minlength=5)
    found = figures_of(
        labels,
        scores,
        CODES,
        min_support=20,
        train_support=np.array([900, 50, 100, 20, 300]),
        neighbours=[(0, 1), (1, 0)],
    )
    f1 = f1_score(labels, said, labels=range(4), average=None, zero_division=0)
    expected = {
        ('macro_f1', 'all'): f1.mean(),
        ('macro_f1_min_support', 'all'): f1[:3].mean(),
        ('head_f1', 'all'): f1[0],  # of A and E, E without a test image
        ('middle_f1', 'all'): f1[[1, 2]].mean(),
        ('tail_f1', 'all'): f1[3],
        ('recall', 'B'): recall_score(labels == 1, said == 1),
        ('f1', 'C'): f1[2],
        ('accuracy', 'all'): (labels == said).mean(),
        ('tolerant_accuracy', 'all'): (
            (labels == said) | ((labels < 2) & (said < 2))
        ).mean(),
        ('calibration_error', 'all'): debiased_calibration_error(
            scores, labels
        )[0],
    }
    for key, value in expected.items():
        assert found[key].value == pytest.approx(value), key
    assert found['macro_f1', 'all'].n == 300
    assert found['macro_f1', 'all'].classes == 4
    small = found['macro_f1_min_support', 'all']
    assert (small.n, small.classes) == (300 - support[3], 3)
    assert found['tail_f1', 'all'].n == support[3]
    assert ('f1', 'E') not in found
    recall = found['recall', 'D']
    hits = ((labels == 3) & (said == 3)).sum()
    assert [recall.low, recall.high] == pytest.approx(
        [*wilson(hits, support[3])]
    )
    assert recall.interval == 'Wilson' and recall.n == support[3]
    assert found['f1', 'D'].interval == 'Goutte-Gaussier'
    precision = found['precision', 'D']
    assert precision.n == (said == 3).sum()
    for figure in found.values():
        assert figure.low <= figure.value <= figure.high, figure


@pytest.mark.slow
def test_bootstrap_interval_is_that_of_images_drawn_one_by_one():
    labels, scores = case()
    figure = figures_of(labels, scores, CODES, replicates=4000)[
        'macro_f1_min_support', 'all'
    ]
    said, rng = scores.argmax(1), np.random.default_rng(5)
    enough = [c for c in range(4) if (labels == c).sum() >= 10]
    draws = []
    for _ in range(1000):
        rows = rng.integers(0, 300, 300)
        draws.append(
            f1_score(
                labels[rows],
                said[rows],
                labels=enough,
                average='macro',
                zero_division=0,
            )
        )
    low, high = np.quantile(draws, [0.025, 0.975])
    assert figure.low == pytest.approx(low, abs=0.01)
    assert figure.high == pytest.approx(high, abs=0.01)


@pytest.mark.slow
def test_interval_covers_the_population():
    """Of 100 tests some 95 % cover the macro F1 of a million images."""
    labels, scores = case(1_000_000)
    truth = f1_score(
        labels, scores.argmax(1), labels=range(4), average='macro'
    )
    covered = 0
    for seed in range(100):
        part = slice(2000 * seed, 2000 * seed + 2000)
        figure = figures_of(labels[part], scores[part], CODES, replicates=300)[
            'macro_f1', 'all'
        ]
        covered += figure.low <= truth <= figure.high
    assert 88 <= covered <= 99


def test_no_class_reaches_the_least_support():
    labels, scores = case(20)
    found = figures_of(labels, scores, CODES, min_support=1000)
    assert ('macro_f1_min_support', 'all') not in found
    assert ('macro_f1', 'all') in found


def test_a_large_test(capsys):
    rng = np.random.default_rng(0)
    labels = rng.choice(21, 34_000, p=rng.dirichlet(np.ones(21)))
    scores = rng.dirichlet(np.ones(21), 34_000)
    start = perf_counter()
    figures_of(labels, scores, range(21), train_support=np.arange(21) + 1)
    with capsys.disabled():
        print(f'\n34,000 x 21, 1,000 draws: {perf_counter() - start:.2f} s')


@pytest.mark.slow
@pytest.mark.parametrize('recall', [0.7, 0.95])
def test_balanced_accuracy_of_a_long_tail_is_covered(recall):
    """21 classes of 2 to 300 images: the bootstrap alone covers .84 at .95."""
    sizes = np.round(np.geomspace(2, 300, 21)).astype(int)
    labels = np.repeat(np.arange(21), sizes)
    rng, covered = np.random.default_rng(0), 0
    for _ in range(200):
        right = rng.random(len(labels)) < recall
        said = np.where(right, labels, (labels + 1) % 21)
        figure = figures_of(
            labels, np.eye(21)[said], range(21), replicates=300
        )['balanced_accuracy', 'all']
        covered += figure.low <= recall <= figure.high
    # 190 expected; 182 or fewer in 1 % of trials
    assert covered >= 183


def test_tail_of_the_release_is_what_has_fewer_than_1000_images():
    groups = class_groups(SUPPORTS)
    tail = {c for c, g in zip(CLASSES, groups, strict=True) if g == 2}
    assert tail == {'ABE', 'BAS', 'FGC', 'HAC', 'KSC', 'LYI', 'OTH'}
    assert [(groups == g).sum() for g in range(3)] == [7, 7, 7]


def test_uneven_numbers_ties_and_absent_classes():
    assert class_groups([5, 0, 5, 9, 1]).tolist() == [0, -1, 1, 0, 2]
