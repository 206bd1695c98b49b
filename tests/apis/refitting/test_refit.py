"""A refitted bundle against its parent and its parts."""

import csv
from dataclasses import replace
from hashlib import sha256

import cv2
import numpy as np
import pytest

from bm_plugins.apis.bundle.bundle import Validation
from bm_plugins.apis.bundle.bundle_file import load_bundle, save_bundle
from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.bundle.cell_predictor import CellPredictor
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.apis.prediction.predict import predict
from bm_plugins.apis.refitting.refit import refit, worse
from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.feature_distance import knn_distance
from tests.apis.tiny_publish import publish_two

NEW = dict(ABE='Abnormal eosinophils')


@pytest.fixture(scope='module')
def parent(cells, tmp_path_factory, forked):
    folder = tmp_path_factory.mktemp('refit') / 'two'
    return forked(publish_two, cells, folder)


@pytest.fixture(scope='module')
def labels(cells):
    """The eight ABE and two LYT, relative to the collection's images."""
    folder = cells / 'BM_cytomorphology_data'
    names = [*sorted(folder.glob('ABE/*')), *sorted(folder.glob('LYT/*'))[:2]]
    return write(
        cells.with_name('labels.csv'),
        [(f.relative_to(folder), f.parent.name) for f in names],
    )


def write(file, rows):
    with open(file, 'w', newline='') as stream:
        csv.writer(stream).writerows([('path', 'label'), *rows])
    return file


@pytest.fixture(scope='module')
def made(parent, labels, cells):
    return refit(parent, labels, NEW, cells, say=str)


def test_publish_keeps_features_of_calibration_cells(parent):
    held = load_bundle(parent).validation
    assert held.features.dtype == np.float16
    assert held.rows.tolist() == list(range(len(held.labels)))  # few: all
    weights = load_bundle(parent).weights
    logits = held.features @ weights['fc.weight'].T + weights['fc.bias']
    np.testing.assert_allclose(logits, held.logits, rtol=0.01, atol=0.05)


def test_classes_and_cells_are_added(parent, made, cells):
    old = load_bundle(parent)
    assert made.classes == ('BLA', 'LYT', 'ABE')
    assert made.full_names == ('BLA', 'LYT', 'Abnormal eosinophils')
    assert made.backbone == old.backbone and made.graph == old.graph
    assert len(made.reference.labels) == 8 + 8 + 10
    assert made.reference.labels[-10:].tolist() == [2] * 8 + [1] * 2
    assert made.reference.paths[-10] == 'ABE/ABE_00001.jpg'
    picture = cv2.imdecode(
        np.frombuffer(made.reference.pictures[-10], 'u1'), 1
    )
    file = cells / 'BM_cytomorphology_data/ABE/ABE_00001.jpg'
    assert np.abs(cv2.imread(str(file)) - picture.astype(int)).mean() < 6
    features = CellPredictor(old, 'cpu').features(CellReader(old)(file)[None])
    np.testing.assert_allclose(
        made.reference.features[-10], features[0], rtol=2e-3, atol=1e-3
    )
    changed = {
        k
        for k, v in made.weights.items()
        if k not in old.weights or not np.array_equal(v, old.weights[k])
    }
    assert changed == {'fc.weight', 'fc.bias'}


def test_calibration_is_of_cells_held_out(parent, made):
    old, held = load_bundle(parent).validation, made.validation
    assert held.labels.tolist() == [*old.labels[old.rows], *[2] * 8, 1, 1]
    weight, bias = made.weights['fc.weight'], made.weights['fc.bias']
    kept = len(old.rows)
    np.testing.assert_allclose(
        held.logits[:kept],
        old.features @ weight.T + bias,
        rtol=1e-3,
        atol=1e-3,
    )
    known = made.reference.features
    np.testing.assert_allclose(
        held.distances[:kept], knn_distance(old.features, known), atol=1e-6
    )
    # Its own distance of 0 is not among the five nearest.
    own = known[-10:]
    assert (held.distances[kept:] > 1.2 * knn_distance(own, known)).all()
    fitted = own @ weight.T + bias
    margin = held.logits[kept:] - fitted
    margin -= margin.mean(1, keepdims=True)
    truth = held.labels[kept:]
    # Left out, it is less surely of its class than fitted.
    assert margin[np.arange(10), truth].mean() < -0.01


def test_mixture_and_record(parent, made, labels):
    assert made.prior.tolist() == [1 / 3] * 3
    (record,) = made.info['refits']
    assert record['parent'] == load_bundle(parent).digest
    assert record['labels_sha256'] == sha256(labels.read_bytes()).hexdigest()
    assert record['counts'] == dict(LYT=2, ABE=8) and record['new'] == ['ABE']
    counts = made.info['counts']
    assert counts['ABE'] == [8, 8, 8]
    old = load_bundle(parent).info['counts']['LYT']
    assert counts['LYT'] == [old[0] + 2, old[1] + 2, old[1] + 2]
    for text in ('## Refitted', 'LYT 2, ABE 8', 'new: ABE', 'F1 before'):
        assert text in made.card
    assert 'Too few calibration images (fewer than 19) for' in made.card


def test_figures_before_and_now_are_of_the_same_cells(parent, made):
    old, held = load_bundle(parent), made.validation
    weight, bias = old.weights['fc.weight'], old.weights['fc.bias']
    said = made.reference.features[-10:] @ weight.T + bias
    said = np.concatenate([old.validation.logits, said]).argmax(1)
    right = (said == held.labels).mean()
    before = {
        (f['score'], f['of']): f for f in made.info['refits'][0]['before']
    }
    now = {(f['score'], f['of']): f for f in made.info['figures']}
    assert before['accuracy', 'all']['value'] == pytest.approx(right)
    assert now['accuracy', 'all']['value'] == pytest.approx(
        (held.logits.argmax(1) == held.labels).mean()
    )
    assert before['recall', 'ABE']['value'] == 0
    assert now['recall', 'ABE']['value'] > 0.5
    assert before['f1', 'BLA']['n'] == now['f1', 'BLA']['n']
    # A class that fell below its interval is named.
    figures = [dict(f) for f in made.info['figures']]
    for figure in figures:
        if (figure['score'], figure['of']) == ('recall', 'BLA'):
            figure['value'] = before['recall', 'BLA']['low'] - 0.01
    (text,) = worse(replace(made, info={**made.info, 'figures': figures}))
    assert text.startswith('BLA got worse: recall 0.')


def test_the_same_labels_again_change_nothing(
    parent, made, labels, cells, tmp_path
):
    """A refit of a refit is one of the first bundle with all labels."""
    save_bundle(made, tmp_path / 'a')
    again = refit(tmp_path / 'a', labels, None, cells, say=str)
    assert len(again.info['refits']) == 2 and again.info['labelled'] == 10
    assert again.info['counts'] == made.info['counts']
    for name in ('fc.weight', 'fc.bias'):
        np.testing.assert_allclose(
            again.weights[name], made.weights[name], atol=1e-6
        )
    np.testing.assert_allclose(
        again.validation.logits, made.validation.logits, atol=1e-5
    )


def test_labels_in_two_steps_are_those_in_one(parent, labels, cells, tmp_path):
    rows = [line.split(',') for line in labels.read_text().split()[1:]]
    first = write(tmp_path / 'first.csv', rows[:8])
    second = write(tmp_path / 'second.csv', rows[8:])
    save_bundle(refit(parent, first, NEW, cells, say=str), tmp_path / 'a')
    found = refit(tmp_path / 'a', second, None, cells, say=str)
    whole = refit(parent, write(tmp_path / 'b', rows[::-1]), NEW, cells)
    for name in ('fc.weight', 'fc.bias'):
        np.testing.assert_allclose(
            found.weights[name], whole.weights[name], atol=1e-6
        )
    assert found.info['counts'] == whole.info['counts']
    # In which order they came does not change what is held out.
    assert found.temperature == pytest.approx(whole.temperature, abs=1e-4)
    np.testing.assert_allclose(
        found.validation.logits[-10:],
        whole.validation.logits[:-11:-1],
        atol=1e-4,
    )
    # The cells of the first step were held out in it, too.
    before = {
        (f['score'], f['of']): f for f in found.info['refits'][1]['before']
    }
    held = load_bundle(tmp_path / 'a').validation
    own = held.labels == 2
    recall = (held.logits[own].argmax(1) == 2).mean()
    assert before['recall', 'ABE']['value'] == pytest.approx(recall)


@pytest.mark.slow
def test_predicts_as_any_bundle(made, cells, tmp_path):
    file = tmp_path / 'new.bundle'
    save_bundle(made, file)
    said = predict(file, cells, tmp_path / 'out', workers=0, device='cpu')
    assert said.predicted == 62
    with open(tmp_path / 'out/predictions.csv') as stream:
        (*_, row) = [r for r in csv.DictReader(stream) if 'ABE' in r['path']]
    bundle = load_bundle(file)
    image = CellReader(bundle)(cells / 'BM_cytomorphology_data' / row['path'])
    judged = CellPredictor(bundle, 'cpu').judge(
        build_features(bundle, image[None])
    )
    found = [float(row[f'p_{code}']) for code in bundle.classes]
    np.testing.assert_allclose(found, judged.probabilities[0], atol=1e-5)


def build_features(bundle, images):
    import torch

    with torch.no_grad():
        return build_model(bundle)(torch.from_numpy(images))[0].numpy()


def test_bundle_of_an_earlier_version(parent, labels, cells, tmp_path):
    old = load_bundle(parent)
    held = old.validation
    plain = Validation(held.logits, held.labels, held.distances)
    save_bundle(replace(old, validation=plain), tmp_path / 'old')
    with pytest.raises(InputError, match='earlier version.*Publish it anew'):
        refit(tmp_path / 'old', labels, NEW, cells)
