"""configs/timm_lora_bm.py from a file's weights to a bundle."""

import csv
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from bm_plugins.apis.bundle.bundle_file import load_bundle
from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.compat.safe_loading import load
from tests.apis.tiny_publish import CODES, manifest_of
from tests.engine.resumable_runs import assert_equal, states

pytestmark = pytest.mark.slow
CONFIG = Path('configs/timm_lora_bm.py').resolve()
SIDE = 32


@pytest.fixture
def run(tool, cells, tmp_path, monkeypatch):
    """A tool on a config of three classes and its options; it succeeds."""
    manifest = manifest_of(cells)
    monkeypatch.setenv('BM_DATA_ROOT', str(cells))
    monkeypatch.setenv('BM_TIMM', 'test_vit')
    monkeypatch.setenv('BM_TIMM_SIZE', str(SIDE))
    torch.manual_seed(0)
    weights = tmp_path / 'weights.safetensors'
    theirs = timm.create_model('test_vit', img_size=SIDE)
    save_file(theirs.state_dict(), weights)
    config = tmp_path / 'tuned.py'
    config.write_text(
        f"""
_base_ = '{CONFIG}'
class_set = dict(classes={CODES})
load_from = '{weights}'
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    dataset=dict(split='train', ann_file='{manifest}'),
)
test_dataloader = dict(num_workers=0, dataset=dict(ann_file='{manifest}'))
optim_wrapper = dict(optimizer=dict(lr=0.05))
train_cfg = dict(max_epochs=2)
default_hooks = dict(checkpoint=dict(interval=1))
"""
    )

    def checked(name, *args):
        status, out, errors = tool(name, config, *args)
        assert status == 0, errors
        return out + errors

    return checked


def softmaxes(bundle, folder, paths):
    model, reader = build_model(bundle), CellReader(bundle)
    images = torch.stack(
        [torch.from_numpy(reader(str(folder / path))) for path in paths]
    )
    with torch.no_grad():
        return model(images)[1].softmax(1).numpy()


def test_trained_resumed_tested_and_published(run, cells, tmp_path):
    whole, again = tmp_path / 'whole', tmp_path / 'again'
    out = run('train', '--work-dir', whole)
    # rank 8 of four layers a block: (64 + 192) + (64 + 64) + 2 (64 + 192)
    # numbers each, six blocks; and the classifier
    number = 8 * (256 + 128 + 512) * 6 + 65 * 3
    assert out.count('Trained parameters: ') == 1
    assert f'Trained parameters: {number:,} of ' in out
    checkpoint = whole / 'epoch_2.pth'
    saved = load(str(checkpoint))['state_dict']
    given = load_file(tmp_path / 'weights.safetensors')
    for key, value in given.items():
        if not key.startswith('head.'):
            key = f'backbone.timm_model.{key}'
            if key not in saved:
                plain = key.removesuffix('.weight')
                key = f'{plain}.parametrizations.weight.original'
            assert torch.equal(saved[key], value), key
    run('train', '--work-dir', again, '--resume', whole / 'epoch_1.pth')
    assert_equal(states(again), states(whole))

    file = tmp_path / 'tuned.bundle'
    run('test', checkpoint, '--work-dir', tmp_path / 'test')
    run('publish', checkpoint, '--out', file)
    with open(tmp_path / 'test/predictions.csv') as stream:
        rows = list(csv.DictReader(stream))
    columns = [f'p_{code}' for code in CODES]
    tested = np.array([[float(row[c]) for c in columns] for row in rows])
    bundle = load_bundle(file)
    assert bundle.backbone == dict(
        type='TimmEncoder', model_name='test_vit', img_size=SIDE
    )
    folder = cells / 'BM_cytomorphology_data'
    found = softmaxes(bundle, folder, [row['path'] for row in rows])
    assert len(rows) == 13 and found.std(0).min() > 1e-3
    np.testing.assert_allclose(found, tested, atol=1e-5)
    # The updates count: without them the same classifier says otherwise.
    for key in bundle.weights:
        if key.startswith('backbone.timm_model.blocks.'):
            plain = key.removeprefix('backbone.timm_model.')
            bundle.weights[key][:] = given[plain].numpy()
    paths = [row['path'] for row in rows]
    assert np.abs(softmaxes(bundle, folder, paths) - tested).max() > 1e-3
