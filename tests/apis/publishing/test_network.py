"""Networks filled from checkpoints, and what they say of files."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.bundle.feature_graph import write_graph
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.apis.publishing import network
from bm_plugins.apis.publishing.network import (
    fit_classifier,
    graph_of,
    make_network,
    make_reference,
    network_outputs,
)
from bm_plugins.apis.publishing.settings import read_settings
from bm_plugins.compat.safe_loading import load
from bm_plugins.datasets import Matek
from bm_plugins.errors import InputError, UnreadableImage
from bm_plugins.evaluation.linear.probe import fit_linear_probe
from tests.apis.tiny_bundle import BACKBONE, tiny_bundle
from tests.apis.tiny_publish import CODES, config, save_checkpoint


@pytest.fixture
def settings():
    def read(supervised, *more):
        init_default_scope('mmpretrain')
        return read_settings(config('x', 'y', supervised, *more))

    return read


@pytest.fixture
def checkpoint(tmp_path):
    def save(*args, **kwargs):
        init_default_scope('mmpretrain')
        return load(save_checkpoint(tmp_path / 'a.pth', *args, **kwargs))

    return save


def test_supervised_gives_the_logits_of_the_framework(settings, checkpoint):
    cfg = config('x', 'y', True)
    state = checkpoint(cfg, 3)
    model = make_network(settings(True), state, CODES, 'a.pth')
    whole = MODELS.build(dict(cfg.model, data_preprocessor=None))
    whole.load_state_dict(state['state_dict'])
    images = torch.randint(256, (5, 3, 48, 48), dtype=torch.uint8)
    mean, std = (torch.tensor(x)[:, None, None] for x in _normalisation(cfg))
    with torch.no_grad():
        expected = whole.eval()((images - mean) / std)
        torch.testing.assert_close(model(images)[1], expected)


def _normalisation(cfg):
    return cfg.data_preprocessor.mean, cfg.data_preprocessor.std


def test_pretraining_gives_the_backbone_alone(settings, checkpoint):
    state = checkpoint(config('x', 'y'), 3, 'backbone.')
    model = make_network(settings(False), state, CODES, 'a.pth')
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(value, state['state_dict'][f'backbone.{key}'])
    assert not model.training


def test_classifier_is_the_probe(settings, checkpoint):
    state = checkpoint(config('x', 'y'), 0, 'backbone.')
    model = make_network(settings(False), state, CODES, 'a.pth')
    torch.manual_seed(0)
    labels = torch.arange(60) % 3
    features = torch.randn(60, 32)
    features[torch.arange(60), labels] += 2
    few = settings(False, 'test_cfg.l2=0.1,0.5', 'test_cfg.folds=3')
    probe = fit_classifier(model, few, features.clone(), labels)
    assert probe.l2 in (0.1, 0.5) and len(probe.scores) == 2
    expected = fit_linear_probe(features, labels, 3, (0.1, 0.5), 3)
    torch.testing.assert_close(model.fc.weight, expected.weight.float())
    torch.testing.assert_close(model.fc.bias, expected.bias.float())


def test_classifier_of_the_natural_prior(settings, checkpoint):
    state = checkpoint(config('x', 'y'), 0, 'backbone.')
    labels = torch.tensor([0] * 90 + [1] * 20 + [2] * 10)
    torch.manual_seed(0)
    features = torch.randn(120, 32)  # nothing to learn but the shares
    for option, expected in (
        ('test_cfg.class_weight=None', [0.75, 1 / 6, 1 / 12]),
        ('test_cfg.folds=5', [1 / 3] * 3),
    ):
        model = make_network(settings(False), state, CODES, 'a.pth')
        one = settings(False, 'test_cfg.l2=[100]', option)
        fit_classifier(model, one, features.clone(), labels)
        with torch.no_grad():
            p = model.fc(features).softmax(1).mean(0)
        torch.testing.assert_close(
            p, torch.tensor(expected), atol=0.01, rtol=0
        )


def test_checkpoints_that_do_not_fit(settings, checkpoint):
    other = config('x', 'y', False, 'model.backbone.base_channels=8')
    state = checkpoint(other, 0, 'backbone.')
    for supervised, message in (
        (False, 'a.pth does not fit the backbone.*other shapes'),
        (True, 'a.pth does not fit the model.*keys differ'),
    ):
        with pytest.raises(InputError, match=message):
            make_network(settings(supervised), state, CODES, 'a.pth')
    state = checkpoint(config('x', 'y', True, 'model.head.num_classes=21'))
    with pytest.raises(InputError, match='21 classes, the config one of 3'):
        make_network(settings(True), state, CODES, 'a.pth')
    meta = dict(dataset_meta=dict(classes=CODES[::-1]))
    state = checkpoint(config('x', 'y', True), **meta)
    with pytest.raises(InputError, match='a.pth classifies LYT BLA ABE'):
        make_network(settings(True), state, CODES, 'a.pth')


def test_classifier_of_another_length(settings, checkpoint):
    length = 'model.head.in_channels=9'
    state = checkpoint(config('x', 'y', False, length), 0, 'backbone.')
    with pytest.raises(InputError, match='has 32 features.*in_channels is 9'):
        make_network(settings(False, length), state, CODES, 'a.pth')


def test_broken_weights(settings, checkpoint):
    state = checkpoint(config('x', 'y'), 0, 'backbone.')
    state['state_dict']['backbone.conv1.weight'][0] = torch.nan
    with pytest.raises(InputError, match='backbone.conv1.weight.*not finite'):
        make_network(settings(False), state, CODES, 'a.pth')


def test_order_and_values(cells):
    bundle = tiny_bundle()
    model, reader = build_model(bundle), CellReader(bundle)
    files = sorted(map(str, cells.rglob('*.jpg')))[::-5]
    found = network_outputs(model, files, reader, 4, 1)
    with torch.no_grad():
        alone = [model(torch.from_numpy(reader(f))[None]) for f in files]
    for table, parts in zip(found, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(table, torch.cat(parts))


def test_unreadable_image_is_named(cells):
    bundle = tiny_bundle()
    files = [str(cells / 'none.jpg')]
    with pytest.raises(UnreadableImage, match='none.jpg'):
        network_outputs(build_model(bundle), files, CellReader(bundle))


def test_cells_are_the_chosen_ones(cells):
    train = Matek(cells, split='train', metainfo=dict(classes=CODES))
    rows = [0, 7, len(train) - 1]
    found = make_reference(train, rows, torch.arange(6.0).view(3, 2) / 3)
    assert found.features.dtype == np.float16
    assert found.features[1].tolist() == [
        float(np.float16(2 / 3)),
        float(np.float16(1)),
    ]
    infos = [train.get_data_info(row) for row in rows]
    assert found.paths == tuple(info['path'] for info in infos)
    codes = [CODES[label] for label in found.labels]
    assert codes == [path.split('/')[0] for path in found.paths]
    for info, picture in zip(infos, found.pictures, strict=True):
        image = cv2.imread(info['img_path'])  # 64 px, kept at its size
        small = cv2.imdecode(np.frombuffer(picture, np.uint8), 1)
        assert small.shape == image.shape
        assert np.abs(small.astype(int) - image).mean() < 6


def test_no_graph_is_said(monkeypatch):
    said = []
    name = 'bm_plugins.apis.bundle.feature_graph.find_spec'
    monkeypatch.setattr(name, lambda package: None)
    assert graph_of(tiny_bundle(), said.append) == b''
    assert len(said) == 1 and 'pip install onnx onnxscript' in said[0]

    def broken(package):
        raise RuntimeError('no such operator\nand more')

    monkeypatch.setattr(name, broken)
    assert graph_of(tiny_bundle(), said.append) == b''
    assert 'need torch (RuntimeError: no such operator).' in said[1]


@pytest.mark.slow
def test_graph_that_says_something_else_is_not_kept(monkeypatch, forked):
    # The same weights; its normalisation adds another epsilon.
    other = dict(BACKBONE, norm_cfg=dict(type='BN', eps=0.5))
    model = build_model(tiny_bundle(backbone=other))
    graph = forked(write_graph, model, (48, 48))
    said = []
    monkeypatch.setattr(network, 'write_graph', lambda *_: graph)
    assert graph_of(tiny_bundle(backbone=other), said.append) == graph
    assert not said
    assert graph_of(tiny_bundle(), said.append) == b''
    assert "differs from PyTorch's by" in said[0]
