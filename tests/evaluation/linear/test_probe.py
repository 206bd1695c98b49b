import re

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bm_plugins.errors import InputError
from bm_plugins.evaluation.linear import objective, preprocessing
from bm_plugins.evaluation.linear import probe as module
from bm_plugins.evaluation.linear.objective import SoftmaxObjective
from bm_plugins.evaluation.linear.probe import (
    GRID,
    _stratified_folds,
    choose_l2,
    fit_linear_probe,
    fit_softmax_regression,
)
from bm_plugins.evaluation.linear.solver import SoftmaxFits
from tests.evaluation.blobs import SHARES, blobs

WEIGHTINGS = pytest.mark.parametrize('class_weight', ['balanced', None])


def theirs_of(l2, n, class_weight):
    """scikit-learn's; balanced weights sum to n, as those of 1 do."""
    settings = dict(class_weight=class_weight, tol=1e-8, max_iter=10000)
    return LogisticRegression(C=1 / (l2 * n), **settings)


@WEIGHTINGS
@pytest.mark.parametrize('dims', [6, 400])
@pytest.mark.parametrize('l2', [1.0, 1e-2, 1e-4])
def test_equals_scikit_learn(l2, dims, class_weight):
    x, y = blobs(dims=dims, shares=SHARES)
    theta = fit_softmax_regression(x, y, 4, l2, class_weight=class_weight)
    theirs = theirs_of(l2, len(x), class_weight).fit(x, y)
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
    axes = objective.weighted_axes(x, y, 'balanced')
    fits = SoftmaxFits(SoftmaxObjective(x, y, axes), start[None])
    fits.minimise(1e-3, tolerance=1e-6)
    warm = fits.thetas[0]
    torch.testing.assert_close(warm[:-1], cold[:-1], rtol=0, atol=1e-3)


def test_absent_class_takes_no_part_of_the_weights():
    x, y = blobs(shares=SHARES)
    rows = y != 1
    theta = fit_softmax_regression(x[rows], y[rows], 4, 1e-2)
    theirs = theirs_of(1e-2, int(rows.sum()), 'balanced')
    expected = theirs.fit(x[rows], y[rows]).predict_proba(x)
    ours = (x @ theta[:-1] + theta[-1]).softmax(1)
    np.testing.assert_allclose(ours[:, [0, 2, 3]], expected, atol=1e-4)
    assert ours[:, 1].max() == 0


def test_single_precision_equals_scikit_learn(monkeypatch):
    """Many features, in several parts, and a long tail."""
    monkeypatch.setattr(preprocessing, 'SMALL', 0)
    monkeypatch.setattr(objective, 'rows_at_a_time', lambda _: 99)
    x, y = blobs(n=600, dims=20, shares=SHARES)
    theta = fit_softmax_regression(x.float(), y, 4, 1e-3)
    expected = theirs_of(1e-3, len(x), 'balanced').fit(x, y).predict_proba(x)
    ours = (x @ theta[:-1] + theta[-1]).softmax(1)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)


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


def held_out_scores(x, y, grid, folds, class_weight):
    """Macro F1 by l2 as scikit-learn has it, of classes to hold out."""
    fold_of = _stratified_folds(y.numpy(), folds, seed=0)
    scores = {}
    for l2 in grid:
        predicted = np.full(len(y), -1)
        for fold in range(folds):
            rest = fold_of != fold
            model = theirs_of(l2, rest.sum(), class_weight)
            model.fit(x[rest], y[rest])
            predicted[~rest] = model.predict(x[~rest])
        asked = fold_of >= 0
        scores[l2] = f1_score(
            *(y[asked], predicted[asked]),
            labels=np.unique(y[asked]),
            average='macro',
        )
    return scores


@WEIGHTINGS
def test_scores_are_those_of_scikit_learn_on_held_out_folds(class_weight):
    x, y = blobs(n=100, shares=SHARES)  # 3 of the last, always in training
    grid = 1.0, 0.1, 0.01
    best, scores = choose_l2(*(x, y, 4, grid, 4, 0), class_weight=class_weight)
    expected = held_out_scores(x, y, grid, 4, class_weight)
    assert scores == pytest.approx(expected, abs=1e-3)
    assert best == max(grid, key=expected.get)


def test_balanced_weights_serve_the_rare_classes():
    x, y = blobs(n=300, dims=60, noise=3.0, shares=SHARES)
    balanced, natural = (
        choose_l2(x, y, 4, (1.0,), 5, 0, class_weight=weight)[1][1.0]
        for weight in ('balanced', None)
    )
    assert balanced > natural + 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ('data', 'class_weight', 'grid', 'further', 'best'),
    [
        (
            *(dict(dims=60, noise=3.0), 'balanced', (0.1, 0.01)),
            *((1.0, 10.0, 100.0), 10.0),
        ),
        (dict(noise=0.7), None, (10.0, 1.0), (0.1, 0.01, 1e-3), 0.01),
    ],
)
def test_goes_on_beyond_the_edge_while_that_is_better(
    data, class_weight, grid, further, best
):
    x, y = blobs(**data, shares=SHARES)
    task = x, y, 4, grid, 5, 0, None, None, class_weight
    _, narrow = choose_l2(*task)
    chosen, scores = choose_l2(*task, widen=True)
    assert [*scores] == [*grid, *further]
    expected = held_out_scores(x, y, scores, 5, class_weight)
    assert scores == pytest.approx(expected, abs=2e-3)
    assert chosen == best == max(expected, key=expected.get)
    assert narrow == {l2: scores[l2] for l2 in grid}


def test_stays_within_the_grid_where_the_best_is_inside():
    x, y = blobs(n=300, dims=60, noise=3.0, shares=SHARES)
    task = x, y, 4, (100.0, 10.0, 1.0), 5, 0
    found = choose_l2(*task, widen=True)
    assert found == choose_l2(*task) and found[0] == 10.0


def test_all_classes_too_small_takes_the_strongest():
    x, y = blobs(n=4)
    assert choose_l2(x, y, 4, (0.1, 1.0), folds=5, seed=0) == (1.0, {})


@pytest.mark.parametrize('dims', [3, 50])
def test_features_without_a_difference_leave_the_frequencies(dims):
    y = torch.tensor([0] * 12 + [1] * 6)
    x = torch.zeros(len(y), dims)
    for class_weight, shares in (
        (None, [2 / 3, 1 / 3]),
        ('balanced', [0.5] * 2),
    ):
        theta = fit_softmax_regression(
            x, y, 2, 1e-3, class_weight=class_weight
        )
        assert theta[:-1].abs().max() == 0
        assert theta[-1].softmax(0).tolist() == pytest.approx(shares)
    l2, scores = choose_l2(x, y, 2, (0.1, 1.0), folds=3, seed=0, widen=True)
    assert l2 == 1.0 and [*scores] == [1.0, 0.1, 10.0]  # no better there


@pytest.mark.parametrize('class_weight', ['balanced', None])
def test_classifies_features_as_they_are(class_weight):
    x, y = blobs(n=400, dims=30, shares=SHARES)
    x = 5 + x * torch.arange(1, 31)
    weighting = dict(class_weight=class_weight)
    probe = fit_linear_probe(x.clone(), y, 5, grid=(0.1, 0.01), **weighting)
    scaled = (x - x.mean(0)) / x.std(0)
    assert (probe.l2, probe.scores) == choose_l2(
        scaled, y, 5, (0.1, 0.01), folds=5, seed=0, **weighting
    )
    # of N degrees of freedom, so that their weights are smaller
    penalty = probe.l2 * 400 / 399
    model = LogisticRegression(
        C=1 / (penalty * 400), tol=1e-8, max_iter=9999, **weighting
    )
    theirs = make_pipeline(StandardScaler(), model).fit(x, y)
    ours = (x @ probe.weight.t() + probe.bias).softmax(1)
    np.testing.assert_allclose(ours[:, :4], theirs.predict_proba(x), atol=1e-4)
    assert ours[:, 4].max() == 0  # a class without a sample


def test_says_what_is_fitted_and_what_was_chosen():
    x, y = blobs(n=200, dims=5)
    lines = []
    probe = fit_linear_probe(x, y, 4, (0.1, 0.01), 3, say=lines.append)
    assert lines[0] == (
        'Fitting 4 classes on 200 features of length 5 by class-balanced '
        'cross-entropy: 2 values of L2 by 3-fold cross-validation, then the '
        'best one on all, 7 fits.'
    )
    assert lines[1] == (
        f'Chosen: {probe.text}, inside the training part '
        f'(0.1: {probe.scores[0.1]:.4f}, 0.01: {probe.scores[0.01]:.4f}).'
    )
    assert re.fullmatch(r'Fitted in \d+ s.', lines[-1])
    x, y = blobs(n=4, dims=5)
    fit_linear_probe(x, y, 4, (0.1, 1.0), 5, say=lines.append)
    few = 'L2 1, the strongest, as no class has 5 images.'
    assert lines[-2] == f'Chosen: class-balanced cross-entropy, {few}'


NOISY = dict(dims=60, noise=3.0)  # 0.1 is best


@pytest.mark.parametrize(
    ('data', 'grid', 'tried', 'end', 'said'),
    [
        # 10 is better than 1, and 100 no better than that
        (dict(noise=0.7), None, [10.0, 100.0], '', ['at their edge']),
        (
            *(dict(dims=200, noise=4.0), None, [10.0, 100.0], 'strongest'),
            ['at their edge', 'L2 100 is .*: none beyond it are tried'],
        ),
        (NOISY, (0.1, 0.01), [], 'strongest', ['L2 0.1 is the strongest']),
        (NOISY, (1, 0.1), [], 'weakest', ['wider list, test_cfg.l2']),
        (NOISY, (1.0, 0.1, 0.01), [], '', []),
        (NOISY, None, [], '', []),
    ],
)
def test_an_edge_of_the_grid(data, grid, tried, end, said):
    x, y = blobs(**data, shares=SHARES)
    lines = []
    probe = fit_linear_probe(x, y, 4, grid, say=lines.append)
    how = f'L2 {probe.l2:g} by macro F1 of 5-fold cross-validation'
    edge = f', the {end} tried' if end else ''
    assert probe.text == f'class-balanced cross-entropy, {how}{edge}'
    assert probe.at_edge == end
    assert [*probe.scores] == [*sorted(grid or GRID, reverse=True), *tried]
    assert len(lines) == 3 + len(said)
    for line, expected in zip(lines[2:-1], said, strict=True):
        assert re.search(expected, line)
    assert probe.l2 == max(probe.scores, key=probe.scores.get)


def test_one_value_is_not_chosen():
    x, y = blobs(n=100)
    probe = fit_linear_probe(x, y, 4, (0.1,), class_weight=None)
    assert probe.text == 'unweighted cross-entropy, L2 0.1 as given'
    assert probe.facts == dict(text=probe.text, class_weight=None, l2=0.1)


def test_another_weighting_is_refused_before_anything_is_done():
    x, y = blobs(n=100)
    before = x.clone()
    with pytest.raises(InputError, match="'none'.*'balanced'.*or None"):
        fit_linear_probe(x, y, 4, class_weight='none')
    assert torch.equal(x, before)


@pytest.mark.slow
@pytest.mark.parametrize(('most', 'threads'), [(2**22, 1), (299, 2)])
def test_few_features_are_fitted_on_one_thread(monkeypatch, most, threads):
    monkeypatch.setattr(module, 'ONE_THREAD', most)
    x, y = blobs(n=100, dims=3)
    seen = set()
    objective = SoftmaxObjective.__call__

    def noted(*args):
        seen.add(torch.get_num_threads())
        return objective(*args)

    monkeypatch.setattr(SoftmaxObjective, '__call__', noted)
    torch.set_num_threads(2)
    try:
        fit_linear_probe(x, y, 4, (0.1,), 3)
        after = torch.get_num_threads()
    finally:
        torch.set_num_threads(1)
    assert (seen, after) == ({threads}, 2)
