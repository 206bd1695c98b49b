"""The graph against the network itself, and what it may not name."""

import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from torch import nn

from bm_plugins.apis.bundle.bundle_file import load_bundle, save_bundle
from bm_plugins.apis.bundle.bundle_model import build_model, torch_network
from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.apis.bundle.feature_graph import graph_network, write_graph
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import tiny_bundle


@pytest.fixture(scope='module')
def bundle(forked):
    """With statistics of batch normalisation as after a training."""
    bundle = tiny_bundle()
    model = build_model(bundle)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            nn.init.normal_(layer.weight, 1, 0.2)
    weights = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    graph = forked(write_graph, model, bundle.size)
    return replace(bundle, weights=weights, graph=graph)


def own_network(bundle):
    return graph_network(bundle.graph, bundle.weights)


@pytest.mark.slow
def test_features_of_any_batch_are_the_network_s(bundle, tmp_path):
    digest = save_bundle(bundle, tmp_path / 'a')
    found = load_bundle(tmp_path / 'a')
    assert found.digest == digest and found.graph == bundle.graph
    # The weights, 709 KB, are not in it.
    assert len(found.graph) < 100_000
    known = torch_network(found, 'cpu')
    for predicted in (own_network(found), CellPredictor(found).features):
        for count in (1, 7):
            images = np.random.default_rng(count).integers(
                256, size=(count, 3, 48, 48), dtype=np.uint8
            )
            expected = known(images)
            assert np.abs(expected).max() > 1
            np.testing.assert_allclose(predicted(images), expected, atol=1e-5)


def test_weights_are_the_bundle_s_own(bundle):
    name = 'backbone.layer4.1.bn2.bias'
    changed = {**bundle.weights, name: bundle.weights[name] + 1}
    other = replace(bundle, weights=changed)
    images = np.full((2, 3, 48, 48), 200, np.uint8)
    expected = torch_network(other, 'cpu')(images)
    np.testing.assert_allclose(own_network(other)(images), expected, atol=1e-5)
    assert np.abs(own_network(bundle)(images) - expected).max() > 0.1


def test_graph_that_names_a_file_or_lacks_weights(bundle):
    foreign = bundle.graph.replace(b'\x12\x07weights', b'\x12\x07passwds', 1)
    assert foreign != bundle.graph
    with pytest.raises(InputError, match='names other files'):
        own_network(replace(bundle, graph=foreign))
    fewer = dict(bundle.weights)
    del fewer['backbone.conv1.weight']
    with pytest.raises(InputError, match='does not fit its weights'):
        own_network(replace(bundle, weights=fewer))
    with pytest.raises(InputError, match='does not fit its weights'):
        own_network(replace(bundle, graph=b'no graph'))


def test_a_prediction_imports_no_torch(bundle, tmp_path):
    save_bundle(bundle, tmp_path / 'a')
    cells = tmp_path / 'cells'
    cells.mkdir()

    for i in range(3):
        image = np.full((60, 60, 3), 80 * i, np.uint8)
        cv2.imwrite(str(cells / f'{i}.jpg'), image)
    code = (
        'import sys; from bm_plugins import predict; '
        f'done = predict({str(tmp_path / "a")!r}, {str(cells)!r}, '
        f'{str(tmp_path / "out")!r}, workers=1); heavy = '
        "{'torch', 'mmcv', 'mmpretrain', 'matplotlib', 'sklearn'}; "
        'print(done.predicted, heavy & {*sys.modules})'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1:] == ['3 set()'], done.stderr
