"""tools/publish.py beside tools/test.py, and what it refuses."""

import csv
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from bm_plugins.apis.bundle.bundle_file import load_bundle
from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.bundle.read_cell import CellReader
from tests.apis.tiny_publish import (
    CODES,
    LINEAR,
    SUPERVISED,
    config,
    manifest_of,
    options,
    save_checkpoint,
)


@pytest.fixture
def given(cells, tmp_path):
    """Config, checkpoint and ``--cfg-options`` of either kind."""

    def make(supervised):
        manifest = manifest_of(cells)
        prefix = '' if supervised else 'backbone.'
        cfg = config(cells, manifest, supervised)
        file = save_checkpoint(tmp_path / 'epoch_1.pth', cfg, 1, prefix)
        given = options(cells, manifest, supervised)
        name = SUPERVISED if supervised else LINEAR
        return [name, file], ['--cfg-options', *given]

    return make


@pytest.mark.slow
@pytest.mark.parametrize('supervised', [False, True])
def test_predicts_as_the_test_tool(tool, given, cells, tmp_path, supervised):
    model, flags = given(supervised)
    out = tmp_path / 'cells.bundle'
    status, text, error = tool('publish', *model, '--out', out, *flags)
    assert status == 0, error
    assert 'accuracy' in text and 'n 13, 3 classes' in text
    assert 'Calibration: 21 images.' in text and 'Test part: 13 images' in text
    for part in ('The classifier is fitted here, without', 'Fitted in '):
        assert (part in text) is not supervised
    if not supervised:  # the classifier of the train part
        flags.append('test_cfg.train_dataloader.dataset.split=train')
    folder = tmp_path / 'test'
    flags = ['--work-dir', folder, *flags]
    status, _, error = tool('test', *model, *flags)
    assert status == 0, error
    with open(folder / 'predictions.csv') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 13
    bundle = load_bundle(out)
    network, reader = build_model(bundle), CellReader(bundle)
    images = np.stack(
        [reader(cells / 'BM_cytomorphology_data' / r['path']) for r in rows]
    )
    with torch.no_grad():
        found = network(torch.from_numpy(images))[1].softmax(1).numpy()
    expected = [[float(r[f'p_{code}']) for code in CODES] for r in rows]
    assert np.ptp(expected, 0).max() > 0.1  # the cells do differ
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


# Loads a bundle and predicts; says what ran meanwhile.
CHILD = """
import sys
import numpy, torch
from bm_plugins.apis.bundle.bundle_file import load_bundle
from bm_plugins.apis.bundle.bundle_model import build_model
torch.set_num_threads(1)
file, images, out = sys.argv[1:]
load_bundle(file)  # imports what is imported on first use
ran = []
watched = 'exec', 'compile', 'import', 'pickle.find_class', 'os.system'
watched += 'subprocess.Popen', 'os.exec', 'socket.connect', 'ctypes.dlopen'
sys.addaudithook(lambda name, args: name in watched and ran.append(name))
bundle = load_bundle(file)
print(','.join(ran) or 'nothing', 'ran')
with torch.no_grad():
    logits = build_model(bundle)(torch.load(images))[1]
torch.save(logits, out)
"""


@pytest.mark.slow
def test_same_predictions_elsewhere(tool, given, tmp_path):
    """After a move, in a new process that started in another folder."""
    model, flags = given(False)
    here, there = tmp_path / 'a.bundle', tmp_path / 'moved' / 'b.bundle'
    flags = ['--per-class', '2', *flags]
    status, _, error = tool('publish', *model, '--out', here, *flags)
    assert status == 0, error
    images = torch.randint(256, (6, 3, 48, 48), dtype=torch.uint8)
    torch.save(images, tmp_path / 'images')
    with torch.no_grad():
        expected = build_model(load_bundle(here))(images)[1]
    there.parent.mkdir()
    shutil.move(here, there)
    done = subprocess.run(
        [sys.executable, '-c', CHILD, there.name, '../images', 'logits'],
        cwd=there.parent,
        env=dict(os.environ, PYTHONPATH=os.getcwd()),
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == 'nothing ran', done.stderr
    assert torch.equal(torch.load(there.parent / 'logits'), expected)


@pytest.mark.slow
def test_card_and_the_same_digest_again(tool, given, tmp_path):
    model, flags = given(True)
    files = [tmp_path / name for name in ('a.bundle', 'b.bundle')]
    for file in files:
        status, _, error = tool('publish', *model, '--out', file, *flags)
        assert status == 0, error
    a, b = map(load_bundle, files)
    assert a.digest == b.digest
    status, out, _ = tool('publish', '--card', files[0])
    assert status == 0 and out == a.card
    assert '## Measured' in out
    assert 'Training images: 64 x 64 px, µm per pixel not known.' in out
    assert a.info['scale']['um_per_px'] is None
    known = tmp_path / 'known.bundle'
    more = ('--out', known, '--um-per-px', 0.1)
    assert tool('publish', *model, *more, *flags)[0] == 0
    assert load_bundle(known).info['scale'] == dict(
        width=64, height=64, um_per_px=0.1, share=1.0
    )
    assert '64 x 64 px, 0.1 µm per pixel' in load_bundle(known).card


@pytest.mark.slow
def test_half_of_the_test_part(tool, given, cells, tmp_path):
    manifest = tmp_path / 'no_val.csv'
    text = manifest_of(cells).read_text()
    manifest.write_text(
        text.replace(',val,', ',test,').replace('LYT,train', 'LYT,test')
    )
    (config, file), _ = given(False)
    flags = ['--cfg-options', *options(cells, manifest)]
    flags = ['--calibration', 'test', *flags]
    out = tmp_path / 'a.bundle'
    status, _, error = tool('publish', config, file, '--out', out, *flags)
    assert status == 0, error
    info = load_bundle(out).info
    # of 5 ABE, 16 BLA and 24 LYT: 2, 8 and 12
    assert info['totals'] == [17, 22, 23]
    assert 'half of the test part' in load_bundle(out).card


@pytest.mark.slow
def test_wrong_inputs_take_one_line(tool, given, cells, tmp_path):
    model, flags = given(False)
    config, file = model
    out = ['--out', tmp_path / 'a.bundle']
    split = 'test_dataloader.dataset'
    sup = options(cells, manifest_of(cells), True)
    (tmp_path / 'file').touch()
    for args, message in (
        ([], 'expected CONFIG CHECKPOINT --out FILE'),
        ([*model, *flags], '--out FILE'),
        (['no.py', file, *out], 'config no.py does not exist'),
        ([config, 'no.pth', *out, *flags], 'checkpoint no.pth does not exist'),
        (['configs/swav_tiny_bm.py', file, *out], "model.type is 'SwAV'"),
        ([SUPERVISED, file, *out, '--cfg-options', *sup], 'keys differ'),
        ([*model, *out, *flags, 'model.backbone.depth=34'], 'does not fit'),
        ([*model, *out, *flags, f'{split}.ann_file=no.csv'], 'no.csv does no'),
        (
            [*model, *out, *flags, f'{split}.ann_file={cells}/split.csv'],
            '6 images; calibration needs 19 or more',
        ),
        ([*model, *out, *flags, 'wrong'], 'expected key=value'),
        ([*model, '--out', tmp_path, *flags], 'is a folder'),
        ([*model, '--out', tmp_path / 'x/y', *flags], 'x does not exist'),
        ([*model, '--out', tmp_path / 'file/y', *flags], 'does not exist'),
        ([*model, '--out', '/proc/a.bundle', *flags], 'cannot be written'),
        (['--card', file], 'is no bundle'),
    ):
        status, _, error = tool('publish', *args)
        assert status == 2, (args, error)
        assert error.startswith('error: ') and message in error, error
        assert len(error.splitlines()) == 1, error
    assert not (tmp_path / 'a.bundle').exists()


def test_help_shows_an_example(tool):
    status, out, _ = tool('publish', '--help')
    assert status == 0
    assert 'example: tools/publish.py configs/linear_bm.py' in out
