import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bm_plugins.evaluation.linear_classifier import choose_l2
from bm_plugins.evaluation.linear_probe import fit_linear_probe
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
