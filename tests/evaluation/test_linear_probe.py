import re

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bm_plugins.evaluation import linear_probe
from bm_plugins.evaluation.linear_classifier import choose_l2
from bm_plugins.evaluation.linear_probe import fit_linear_probe
from bm_plugins.evaluation.softmax_objective import SoftmaxObjective
from tests.evaluation.blobs import blobs


def test_classifies_features_as_they_are():
    x, y = blobs(n=400, dims=30)
    x = 5 + x * torch.arange(1, 31)
    probe = fit_linear_probe(x.clone(), y, 5, grid=(0.1, 0.01))
    scaled = (x - x.mean(0)) / x.std(0)
    assert (probe.l2, probe.scores) == choose_l2(
        scaled, y, 5, (0.1, 0.01), folds=5, seed=0
    )
    # of N degrees of freedom, so that their weights are smaller
    penalty = probe.l2 * 400 / 399
    model = LogisticRegression(C=1 / (penalty * 400), tol=1e-8, max_iter=9999)
    theirs = make_pipeline(StandardScaler(), model).fit(x, y)
    ours = (x @ probe.weight.t() + probe.bias).softmax(1)
    np.testing.assert_allclose(ours[:, :4], theirs.predict_proba(x), atol=1e-4)
    assert ours[:, 4].max() == 0  # a class without a sample


def test_says_what_is_fitted_and_what_was_chosen():
    x, y = blobs(n=200, dims=5)
    lines = []
    probe = fit_linear_probe(x, y, 4, (0.1, 0.01), 3, say=lines.append)
    assert lines[0] == (
        'Fitting 4 classes on 200 features of length 5: 2 values of L2 by '
        '3-fold cross-validation, then the best one on all, 7 fits.'
    )
    assert re.fullmatch(
        f'L2 {probe.l2:g}, by macro F1 of 3-fold cross-validation inside the '
        rf'training part \(0.1: {probe.scores[0.1]:.4f}, 0.01: '
        rf'{probe.scores[0.01]:.4f}\). Fitted in \d+ s.',
        lines[1],
    )
    assert len(lines) == 2  # quick: nothing in between
    x, y = blobs(n=4, dims=5)
    fit_linear_probe(x, y, 4, (0.1, 1.0), 5, say=lines.append)
    assert lines[3].startswith('L2 1, the strongest, as no class has 5 images')


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
