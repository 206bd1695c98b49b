"""A bundle as a file."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from bm_plugins.apis.bundle.bundle import Validation
from bm_plugins.apis.bundle.bundle_file import (
    _digest,
    load_bundle,
    save_bundle,
)
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import tiny_bundle


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'cells.bundle'
    save_bundle(tiny_bundle(), path)
    return path


def test_comes_back_as_it_was(file):
    bundle, found = tiny_bundle(), load_bundle(file)
    assert len(found.digest) == 64
    for name in ('classes', 'backbone', 'size', 'mean', 'info', 'card'):
        assert getattr(found, name) == getattr(bundle, name)
    assert found.reference.paths == bundle.reference.paths
    assert found.reference.pictures == bundle.reference.pictures
    assert (found.validation.logits == bundle.validation.logits).all()
    assert found.weights.keys() == bundle.weights.keys()
    for key, value in bundle.weights.items():
        assert np.array_equal(found.weights[key], value)
    assert found.prior.tolist() == [0.5, 0.3, 0.2]


def test_one_of_an_earlier_version_says_no_prior(tmp_path):
    save_bundle(tiny_bundle(info={}), tmp_path / 'old')
    assert load_bundle(tmp_path / 'old').prior is None


def test_digest_is_of_the_content(file, tmp_path):
    again = save_bundle(load_bundle(file), tmp_path / 'again')
    other = save_bundle(tiny_bundle(temperature=2.0), tmp_path / 'other')
    assert again == load_bundle(file).digest != other


def test_others_may_read_it(file, tmp_path):
    (tmp_path / 'plain').touch()
    assert file.stat().st_mode == (tmp_path / 'plain').stat().st_mode


def _rewrite(file, change, with_digest=False):
    """Change tensors and texts, and leave the digest as it was, or not."""
    with safe_open(file, framework='np') as stream:
        header = json.loads(stream.metadata()['bm_plugins_bundle'])
        tensors = {k: stream.get_tensor(k) for k in stream.keys()}  # noqa: SIM118
    change(tensors, header)
    if with_digest:
        del header['digest']
        header['digest'] = _digest(tensors, header)
    metadata = {'bm_plugins_bundle': json.dumps(header)}
    save_file(tensors, file, metadata=metadata)


def test_changed_weight_is_found(file):
    def change(tensors, header):
        tensors['model.fc.bias'][0] += 1e-6

    _rewrite(file, change)
    with pytest.raises(InputError, match='damaged.*digest'):
        load_bundle(file)


def test_changed_text_is_found(file):
    def change(tensors, header):
        header['classes'] = header['classes'][::-1]

    _rewrite(file, change)
    with pytest.raises(InputError, match='damaged.*digest'):
        load_bundle(file)


def test_other_format_is_named(file):
    _rewrite(file, lambda tensors, header: header.update(format=99))
    with pytest.raises(InputError, match='format 99'):
        load_bundle(file)


def test_cut_file_and_other_files(file, tmp_path):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match='damaged'):
        load_bundle(file)
    torch.save({}, tmp_path / 'model.pth')
    with pytest.raises(InputError, match='no bundle'):
        load_bundle(tmp_path / 'model.pth')
    save_file(dict(a=np.zeros(1)), tmp_path / 'weights.safetensors')
    with pytest.raises(InputError, match='no bundle of this project'):
        load_bundle(tmp_path / 'weights.safetensors')
    with pytest.raises(InputError, match='does not exist'):
        load_bundle(tmp_path / 'none')
    with pytest.raises(InputError, match='is a folder'):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(full_names=('a',)), 'full_names of a wrong size'),
        (dict(classes=('A', 'B', 'A')), 'each once'),
        (dict(classes=('A', 'B', 'C ')), 'without padding'),
        (dict(temperature=float('inf')), 'temperature'),
        (dict(interpolation='best'), 'interpolation'),
        (dict(size=(48, 10**6)), 'size of a wrong'),
        (dict(info=['a']), 'info'),
        *(
            (dict(info=dict(prior=prior)), 'info of a wrong')
            for prior in (
                dict(shares=[0.5, 0.5]),
                dict(shares=[0.6, 0.6, -0.2]),
                dict(shares=[0.5, 0.3, 0.1]),
                dict(shares=[0.5, float('nan'), 0.5]),
                dict(shares=['a', 'b', 'c']),
                dict(shares=[[0.5], [0.2, 0.3]]),
                dict(shares=[10**400, 0, 0]),
                dict(shares=dict(BLA=1)),
                dict(shares='equal'),
                dict(shares=1),
                dict(text='each class equally often'),
                [0.5, 0.3, 0.2],
                'equal',
                3,
            )
        ),
    ],
)
def test_parts_that_do_not_fit(file, tmp_path, changes, message):
    bundle = tiny_bundle(**changes)
    with pytest.raises(InputError, match=f'no bundle can be .*{message}'):
        save_bundle(bundle, tmp_path / 'wrong')
    assert not (tmp_path / 'wrong').exists()
    _rewrite(file, lambda tensors, header: header.update(changes), True)
    with pytest.raises(InputError, match=f'damaged.*{message}'):
        load_bundle(file)


def test_header_that_is_no_dict_and_labels_that_are_none(file):
    with safe_open(file, framework='np') as stream:
        tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
    for header in ('null', '"text"', '[1]'):
        save_file(tensors, file, metadata={'bm_plugins_bundle': header})
        with pytest.raises(InputError, match='damaged'):
            load_bundle(file)
    held = tiny_bundle().validation
    wrong = Validation(held.logits, held.labels.astype(float), held.distances)
    with pytest.raises(InputError, match='label_types'):
        save_bundle(tiny_bundle(validation=wrong), file)


def test_features_of_calibration_cells_and_the_published_classifier(tmp_path):
    held = tiny_bundle().validation
    rows = np.array([4, 0, 29])
    features = np.arange(3 * 64, dtype=np.float16).reshape(3, 64)
    bundle = tiny_bundle(
        validation=replace(held, features=features, rows=rows),
        published=dict(bias=np.ones(2, np.float32)),
    )
    save_bundle(bundle, tmp_path / 'a')
    found = load_bundle(tmp_path / 'a')
    assert np.array_equal(found.validation.features, features)
    assert np.array_equal(found.validation.rows, rows)
    assert found.published.keys() == {'bias'}
    assert 'bias' not in found.weights
    save_bundle(tiny_bundle(), tmp_path / 'old')
    assert load_bundle(tmp_path / 'old').validation.features is None
    for wrong in (
        dict(rows=rows[:2]),
        dict(rows=rows + 1),
        dict(rows=None),
        dict(features=features[:, 1:]),
    ):
        part = replace(bundle.validation, **wrong)
        with pytest.raises(InputError, match='validation of a wrong size'):
            save_bundle(tiny_bundle(validation=part), tmp_path / 'b')
