"""A bundle against its parts computed anew."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch.nn.functional import normalize

from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.apis.publishing.data_parts import make_parts
from bm_plugins.apis.publishing.publish import publish
from bm_plugins.apis.publishing.settings import read_settings
from bm_plugins.apis.publishing.training import Training, prior_of
from bm_plugins.datasets.manifest import read_manifest
from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.calibration import fit_temperature
from bm_plugins.evaluation.linear.probe import fit_linear_probe
from tests.apis.tiny_publish import (
    CODES,
    config,
    config_text,
    manifest_of,
    save_checkpoint,
)


@pytest.fixture(scope='module')
def swav(cells, tmp_path_factory, forked):
    """A bundle with a fitted classifier, four cells of each class."""
    cfg = config(cells, manifest_of(cells))
    text = config_text('swav_tiny_bm', cells, manifest_of(cells))
    file = tmp_path_factory.mktemp('swav') / 'epoch_1.pth'
    save_checkpoint(file, cfg, 1, 'backbone.', text)
    return forked(publish, cfg, file, per_class=4, say=str)


@pytest.fixture(scope='module')
def outputs(cells, swav):
    """Features, logits and labels of a part, an image at a time."""
    paths, labels, splits, _ = read_manifest(manifest_of(cells))
    model, reader = build_model(swav), CellReader(swav)
    folder = cells / 'BM_cytomorphology_data'

    def of(part):
        found = [
            (*model(torch.from_numpy(reader(folder / path))[None]), label)
            for path, label, split in zip(paths, labels, splits, strict=True)
            if split == part
        ]
        features, logits, codes = zip(*found, strict=True)
        numbers = torch.tensor([CODES.index(code) for code in codes])
        return torch.cat(features), torch.cat(logits), numbers

    with torch.no_grad():
        return {part: of(part) for part in ('train', 'val', 'test')}


@pytest.mark.slow
def test_classifier_is_fitted_on_the_train_part_alone(swav, outputs):
    features, _, labels = outputs['train']
    assert len(labels) == 28
    probe = fit_linear_probe(features.clone(), labels, 3)
    logits = outputs['val'][0].double() @ probe.weight.t() + probe.bias
    found = torch.from_numpy(swav.validation.logits).double().softmax(1)
    torch.testing.assert_close(found, logits.softmax(1), rtol=0, atol=1e-3)
    assert swav.info['l2'] == probe.l2


def test_validation_is_the_val_part(swav, outputs):
    features, logits, labels = outputs['val']
    np.testing.assert_allclose(
        swav.validation.logits, logits, rtol=1e-4, atol=1e-4
    )
    assert np.array_equal(swav.validation.labels, labels)
    bank = normalize(torch.from_numpy(swav.reference.features).double(), dim=1)
    near = (normalize(features.double(), dim=1) @ bank.t()).sort(1).values
    expected = 1 - near[:, -5:].mean(1)
    np.testing.assert_allclose(
        swav.validation.distances, expected, rtol=0, atol=1e-5
    )


def test_reference_is_of_the_train_part(swav, outputs, cells):
    features, _, labels = outputs['train']
    paths, _, splits, _ = read_manifest(manifest_of(cells))
    train = [p for p, s in zip(paths, splits, strict=True) if s == 'train']
    rows = [train.index(path) for path in swav.reference.paths]
    assert np.bincount(swav.reference.labels).tolist() == [3, 4, 4]
    assert np.array_equal(swav.reference.labels, labels[rows])
    np.testing.assert_allclose(
        swav.reference.features, features[rows], rtol=1e-3, atol=1e-3
    )
    assert swav.info['reference'] == len(swav.reference.pictures) == 11


def test_accuracy_is_that_of_the_test_part(swav, outputs):
    _, logits, labels = outputs['test']
    figures = {(f['score'], f['of']): f for f in swav.info['figures']}
    right = np.mean((logits.argmax(1) == labels).numpy())
    assert figures['accuracy', 'all']['value'] == right
    assert figures['accuracy', 'all']['n'] == 13
    assert f'accuracy | {right:.3f}' in swav.card
    assert 'SwAV, trained without labels on train+val of cells' in swav.card


def test_prediction_does_what_was_measured(swav, outputs):
    """Sets and flags of the predictor, on the test part."""
    features, _, labels = outputs['test']
    judged = CellPredictor(swav, 'cpu').judge(features.numpy())
    figures = {(f['score'], f['of']): f for f in swav.info['figures']}
    for name, hits in (
        ('coverage', judged.sets[np.arange(13), labels]),
        ('one_class', judged.sets.sum(1) == 1),
        ('unlike', np.array(judged.flags) == 'unlike'),
    ):
        assert figures[name, 'all']['value'] == hits.sum() / 13, name


def test_mixture_that_the_classifier_is_fitted_for(swav, cells):
    assert swav.info['prior'] == dict(
        shares=[1 / 3] * 3,
        text='each class that has training images equally often',
        calibration=[3 / 21, 10 / 21, 8 / 21],
        agrees=True,
    )
    assert swav.prior.tolist() == [1 / 3] * 3
    assert 'for cells with each class that has training images' in swav.card
    assert 'they then agree class by class' in swav.card
    assert 'fitted by class-balanced cross-entropy' in swav.card
    held = swav.validation
    at_images = np.array([3, 10, 8]) * 3
    found = fit_temperature(
        softmax(held.logits.astype(float), 1),
        held.labels,
        log_shift=np.log(at_images),
    )
    assert swav.temperature == pytest.approx(found, rel=1e-3)
    # A probe without weights is fitted for the images as they are.
    settings = read_settings(config(cells, manifest_of(cells)))
    parts = make_parts(settings)
    plain = prior_of(replace(settings, class_weight=None), Training(), parts)
    assert plain['shares'] == [3 / 28, 14 / 28, 11 / 28]
    assert plain['text'].startswith('each class as often as among')
    found = prior_of(settings, Training(), parts)
    assert dict(found, agrees=True) == swav.info['prior']


@pytest.mark.slow
def test_supervised_classifier_is_the_checkpoints(cells, tmp_path, forked):
    cfg = config(cells, manifest_of(cells), True)
    file = save_checkpoint(tmp_path / 'a.pth', cfg, 2)
    bundle = forked(publish, cfg, file, per_class=1)
    state = torch.load(file)['state_dict']
    for key, value in bundle.weights.items():
        key = f'head.{key}' if key.startswith('fc.') else key
        assert np.array_equal(value, state[key])
    assert bundle.info['counts']['ABE'] == [3, 3, 2]
    assert bundle.reference.labels.tolist() == [0, 1, 2]
    # The config is believed where the checkpoint says nothing.
    assert bundle.info['training']['parts'] == 'train'
    assert bundle.info['prior']['text'].endswith('images equally often')
    assert bundle.prior.tolist() == [1 / 3] * 3
    assert any('epoch was chosen' in c for c in bundle.info['cautions'])


def test_labels_of_the_calibration_part_are_refused(cells, tmp_path):
    """Of SupCon, and of a supervised training, as each of them records."""
    manifest = manifest_of(cells)
    file = tmp_path / 'a.pth'
    mended = '--cfg-options train_dataloader.dataset.split=train.*--calibr'
    for name, supervised in (
        ('supcon_tiny_bm', False),
        ('resnet_tiny_bm', True),
    ):
        cfg = config(cells, manifest, supervised)
        prefix = '' if supervised else 'backbone.'
        text = config_text(name, cells, manifest)
        save_checkpoint(file, cfg, 0, prefix, text)
        with pytest.raises(InputError, match=f'21 of the 21 val.*{mended}'):
            publish(cfg, file)
    # A supervised config of train and val, and a checkpoint without record.
    split = 'train_dataloader.dataset.split=train,val'
    cfg = config(cells, manifest, True, split)
    save_checkpoint(file, cfg)
    with pytest.raises(InputError, match='21 of the 21 val'):
        publish(cfg, file)


@pytest.mark.slow
def test_supcon_on_the_train_part_is_welcome(cells, tmp_path, forked):
    cfg = config(cells, manifest_of(cells))
    split = 'train_dataloader.dataset.split=train'
    text = config_text('supcon_tiny_bm', cells, manifest_of(cells), split)
    file = save_checkpoint(tmp_path / 'a.pth', cfg, 0, 'backbone.', text)
    info = forked(publish, cfg, file).info
    assert info['method'] == 'SupCon features with a linear classifier'
    assert 'trained with labels on train of cells' in info['training_text']
    assert info['training']['calibration_images_seen'] == 0


def test_no_reference_cell_is_refused(cells, tmp_path):
    cfg = config(cells, manifest_of(cells))
    with pytest.raises(InputError, match='--per-class 0'):
        publish(cfg, tmp_path / 'a.pth', per_class=0)
