import numpy as np
from sklearn.metrics import f1_score

from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from tests.apis.left_out_class import measured
from tests.apis.tiny_bundle import CODES, tiny_bundle


def test_cells_of_a_class_that_the_bundle_does_not_know_count():
    bundle = tiny_bundle()
    features = np.random.default_rng(0).normal(size=(40, 64))
    truth = [*CODES, 'HAC'] * 10
    f1, held = measured(bundle, features, truth)
    judged = CellPredictor(bundle).judge(features)
    said = [CODES[i] for i in judged.labels]
    expected = f1_score(truth, said, labels=CODES, average=None)
    np.testing.assert_allclose(f1, expected)
    assert not held[3::4].any() and 0 < held.sum() <= 30
    assert held.tolist() == [
        code in judged.codes(row, CODES) for row, code in enumerate(truth)
    ]
