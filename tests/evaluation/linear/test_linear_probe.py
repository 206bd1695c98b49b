import re

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bm_plugins.errors import InputError
from bm_plugins.evaluation.linear import linear_probe
from bm_plugins.evaluation.linear.linear_classifier import choose_l2
from bm_plugins.evaluation.linear.linear_probe import GRID, fit_linear_probe
from bm_plugins.evaluation.linear.softmax_objective import SoftmaxObjective
from tests.evaluation.blobs import SHARES, blobs


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


@pytest.mark.parametrize(('most', 'threads'), [(2**22, 1), (299, 2)])
def test_few_features_are_fitted_on_one_thread(monkeypatch, most, threads):
    monkeypatch.setattr(linear_probe, 'ONE_THREAD', most)
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
