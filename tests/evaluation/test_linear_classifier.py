import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from bm_plugins.evaluation.linear_classifier import (
    _stratified_folds,
    choose_l2,
    fit_softmax_regression,
)
from tests.evaluation.blobs import blobs


@pytest.mark.parametrize('dims', [6, 400])
@pytest.mark.parametrize('l2', [1.0, 1e-2, 1e-4])
def test_equals_scikit_learn(l2, dims):
    x, y = blobs(dims=dims)
    theta = fit_softmax_regression(x, y, 4, l2)
    theirs = LogisticRegression(C=1 / (l2 * len(x)), tol=1e-8, max_iter=10000)
    theirs.fit(x, y)
    ours = (x @ theta[:-1] + theta[-1]).softmax(1)
    np.testing.assert_allclose(
        ours, theirs.predict_proba(x), rtol=0, atol=1e-4
    )


def test_absent_class_gets_no_probability():
    x, y = blobs(classes=3)
    theta = fit_softmax_regression(x, y, 5, 1e-3)
    p = (x @ theta[:-1] + theta[-1]).softmax(1)
    assert p[:, 3:].max() == 0
    assert torch.equal(theta[:, :3], fit_softmax_regression(x, y, 3, 1e-3))


def test_warm_start_ends_where_a_cold_one_does():
    x, y = blobs()
    cold = fit_softmax_regression(x, y, 4, 1e-3)
    start = fit_softmax_regression(x, y, 4, 1.0)
    warm = fit_softmax_regression(x, y, 4, 1e-3, start)
    torch.testing.assert_close(warm[:-1], cold[:-1], rtol=0, atol=1e-3)


def test_folds_are_stratified_and_small_classes_stay_in_training():
    labels = np.array([0] * 11 + [1] * 5 + [2] * 4)
    fold_of = _stratified_folds(labels, 5, seed=0)
    assert (fold_of[labels == 2] == -1).all()
    counts = np.bincount(fold_of[labels == 0])
    assert sorted(counts) == [2, 2, 2, 2, 3]
    assert sorted(fold_of[labels == 1]) == [0, 1, 2, 3, 4]


def test_noise_asks_for_more_regularisation_than_signal():
    grid = (10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4)
    x, y = blobs(n=120, dims=60, noise=3.0)
    noisy, scores = choose_l2(x, y, 4, grid, folds=5, seed=0)
    assert set(scores) == set(grid)
    assert scores[noisy] == max(scores.values())
    assert noisy >= 0.1


def test_scores_are_those_of_scikit_learn_on_held_out_folds():
    from sklearn.metrics import f1_score

    x, y = blobs(n=100)
    _, scores = choose_l2(x, y, 4, (0.1,), folds=4, seed=0)
    fold_of = _stratified_folds(y.numpy(), 4, seed=0)
    predicted = np.empty(100, int)
    for fold in range(4):
        rest = fold_of != fold
        model = LogisticRegression(C=1 / (0.1 * rest.sum()), tol=1e-8)
        model.fit(x[rest], y[rest])
        predicted[~rest] = model.predict(x[~rest])
    assert scores[0.1] == pytest.approx(
        f1_score(y, predicted, average='macro'), abs=1e-3
    )


def test_all_classes_too_small_takes_the_strongest():
    x, y = blobs(n=4)
    assert choose_l2(x, y, 4, (0.1, 1.0), folds=5, seed=0) == (1.0, {})


@pytest.mark.parametrize('dims', [3, 50])
def test_features_without_a_difference_leave_the_frequencies(dims):
    y = torch.tensor([0] * 12 + [1] * 6)
    x = torch.zeros(len(y), dims)
    theta = fit_softmax_regression(x, y, 2, 1e-3)
    assert theta[:-1].abs().max() == 0
    assert theta[-1].softmax(0).tolist() == pytest.approx([2 / 3, 1 / 3])
    l2, _ = choose_l2(x, y, 2, (0.1, 1.0), folds=3, seed=0)
    assert l2 == 1.0
