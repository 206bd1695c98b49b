"""A bundle's record."""

import json
import re
from dataclasses import replace
from hashlib import sha256

import pytest
from mmengine.registry import init_default_scope

from bm_plugins import __version__
from bm_plugins.apis.publishing.data_parts import make_parts
from bm_plugins.apis.publishing.info import origin, training_scale
from bm_plugins.apis.publishing.settings import read_settings
from bm_plugins.apis.publishing.training import Training
from bm_plugins.datasets.manifest import read_stamp, write_stamp
from bm_plugins.datasets.scale import Scale
from bm_plugins.datasets.synthetic.collection import MARKER
from bm_plugins.errors import InputError
from tests.apis.tiny_publish import config, manifest_of

SWAV = Training(
    'SwAV', False, dict(data_root='a/matek', split=('train', 'val'))
)


@pytest.fixture
def info(cells, tmp_path):
    def make(training, seen, l2=0.1, supervised=False, synthetic=()):
        init_default_scope('mmpretrain')
        cfg = config(cells, manifest_of(cells), supervised)
        settings = read_settings(cfg)
        file = tmp_path / 'epoch_1.pth'
        file.write_bytes(b'weights')
        parts = make_parts(settings)
        (tmp_path / MARKER).touch()
        for name in synthetic:
            getattr(parts, name).data_root = str(tmp_path)
        return origin(cfg, file, settings, training, parts, seen, l2)

    return make


def test_record(info, cells):
    found = info(SWAV, (21, 0))
    assert found['counts'] == dict(
        ABE=[3, 3, 2], BLA=[14, 10, 6], LYT=[11, 8, 5]
    )
    assert found['totals'] == [28, 21, 13]
    assert found['checkpoint_sha256'] == sha256(b'weights').hexdigest()
    manifest = manifest_of(cells)
    assert (
        found['manifest_sha256'] == sha256(manifest.read_bytes()).hexdigest()
    )
    assert found['checkpoint'] == 'epoch_1.pth'
    assert found['code']['bm_plugins'] == __version__
    assert found['method'] == 'SwAV features with a linear classifier'
    assert (
        'trained without labels on train+val of matek'
        in found['training_text']
    )
    assert 'Of the 21 calibration images it saw 21' in found['training_text']
    assert '28 images of train, L2 0.1 ' in found['classifier_text']
    assert found['untrained'] == found['unmeasured'] == []
    assert found['synthetic'] == ''
    assert str(cells.parent) not in json.dumps(found)


def test_what_is_unknown_is_said(info):
    found = info(Training(), (None, None))
    assert 'unknown' in found['training_text']
    assert found['training']['parts'] == 'unknown'
    assert found['method'].startswith('Pretrained')
    assert any('is unknown' in caution for caution in found['cautions'])
    # No labels were read, whatever it saw.
    assert len(info(SWAV, (None, None))['cautions']) == 1


def test_cautions(info):
    (few,) = info(SWAV, (0, 0))['cautions']
    assert '21 calibration images are too few' in few
    seen, _ = info(SWAV, (21, 0))['cautions']
    assert 'saw 21 of the calibration images, without labels' in seen
    started = info(replace(SWAV, started_from='a.pth'), (21, 0))
    assert any('a.pth' in caution for caution in started['cautions'])
    assert 'started from the weights a.pth' in started['training_text']
    chosen = Training(
        'ImageClassifier',
        True,
        dict(data_root='matek', split='train'),
        chosen_on='val',
    )
    found = info(chosen, (0, 0), None, True)
    assert any('epoch was chosen' in c for c in found['cautions'])
    assert found['method'] == 'Supervised classifier'
    assert 'trained with the backbone' in found['classifier_text']


@pytest.mark.parametrize(
    ('parts', 'said'),
    [
        (('train', 'test'), 'trained and measured on.*what it says of real'),
        (('train',), 'trained on synthetic cells: what it says of real'),
        (('test',), 'measured on synthetic cells: its figures say nothing'),
    ],
)
def test_synthetic_cells(info, parts, said):
    found = info(SWAV, (0, 0), synthetic=parts)['synthetic']
    assert re.search(said, found)


def test_scale_of_the_training_images(cells, tmp_path):
    """By hand, else by the stamp, else by the images themselves."""
    init_default_scope('mmpretrain')
    manifest = tmp_path / 'split.csv'
    manifest.write_bytes(manifest_of(cells).read_bytes())
    train = make_parts(read_settings(config(cells, manifest))).train
    assert train.ann_file == str(manifest) and read_stamp(manifest) is None
    assert training_scale(train) == Scale(64, 64)
    assert training_scale(train, '0.1') == Scale(64, 64, 0.1)
    noted = dict(width=250, height=250, um_per_px=0.2, share=0.5)
    write_stamp(manifest, dict(scale=noted))
    assert training_scale(train) == Scale(**noted)
    assert training_scale(train, 0.1) == Scale(250, 250, 0.1, 0.5)
    with pytest.raises(InputError, match='--um-per-px same: expected'):
        training_scale(train, 'same')
