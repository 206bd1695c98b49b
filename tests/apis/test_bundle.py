"""A bundle as a file."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from bm_plugins.apis.bundle import load_bundle, save_bundle
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
    assert torch.equal(found.validation.logits, bundle.validation.logits)
    assert found.weights.keys() == bundle.weights.keys()
    for key, value in bundle.weights.items():
        assert torch.equal(found.weights[key], value)


def test_digest_is_of_the_content(file, tmp_path):
    again = save_bundle(load_bundle(file), tmp_path / 'again')
    other = save_bundle(tiny_bundle(temperature=2.0), tmp_path / 'other')
    assert again == load_bundle(file).digest != other


def _rewrite(file, change):
    """Change tensors and texts, and leave the digest as it was."""
    with safe_open(file, framework='pt') as stream:
        header = json.loads(stream.metadata()['bm_plugins_bundle'])
        tensors = {k: stream.get_tensor(k) for k in stream.keys()}  # noqa: SIM118
    change(tensors, header)
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
    save_file(dict(a=torch.zeros(1)), tmp_path / 'weights.safetensors')
    with pytest.raises(InputError, match='no bundle of this project'):
        load_bundle(tmp_path / 'weights.safetensors')
    with pytest.raises(InputError, match='does not exist'):
        load_bundle(tmp_path / 'none')


def test_parts_that_do_not_fit(tmp_path):
    bundle = tiny_bundle(classes=('A', 'B'), full_names=('a',))
    save_bundle(bundle, tmp_path / 'wrong')
    with pytest.raises(InputError, match='full_names'):
        load_bundle(tmp_path / 'wrong')
