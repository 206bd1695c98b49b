"""A bundle's record and its model card."""

import json
import re
from dataclasses import asdict, replace
from hashlib import sha256

import pytest
from mmengine.registry import init_default_scope

from bm_plugins import __version__
from bm_plugins.apis.publishing.card import origin, write_card
from bm_plugins.apis.publishing.data_parts import make_parts
from bm_plugins.apis.publishing.settings import read_settings
from bm_plugins.apis.publishing.training import Training
from bm_plugins.datasets.synthetic.collection import MARKER
from bm_plugins.evaluation.metrics.scores import Figure
from tests.apis.tiny_publish import config, manifest_of

SWAV = Training(
    'SwAV', False, dict(data_root='a/matek', split=('train', 'val'))
)


@pytest.fixture
def made(cells, tmp_path):
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


def test_record(made, cells):
    found = made(SWAV, (21, 0))
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


def test_what_is_unknown_is_said(made):
    found = made(Training(), (None, None))
    assert 'unknown' in found['training_text']
    assert found['training']['parts'] == 'unknown'
    assert found['method'].startswith('Pretrained')
    assert any('is unknown' in caution for caution in found['cautions'])
    # No labels were read, whatever it saw.
    assert len(made(SWAV, (None, None))['cautions']) == 1


def test_cautions(made):
    (few,) = made(SWAV, (0, 0))['cautions']
    assert '21 calibration images are too few' in few
    seen, _ = made(SWAV, (21, 0))['cautions']
    assert 'saw 21 of the calibration images, without labels' in seen
    started = made(replace(SWAV, started_from='a.pth'), (21, 0))
    assert any('a.pth' in caution for caution in started['cautions'])
    assert 'started from the weights a.pth' in started['training_text']
    chosen = Training(
        'ImageClassifier',
        True,
        dict(data_root='matek', split='train'),
        chosen_on='val',
    )
    found = made(chosen, (0, 0), None, True)
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
def test_synthetic_cells(made, parts, said):
    found = made(SWAV, (0, 0), synthetic=parts)['synthetic']
    assert re.search(said, found)


CLASSES, NAMES = ('A', 'B', 'C'), ('Alpha', 'Beta | two', 'Gamma')


def info(**changes):
    figures = [
        Figure('accuracy', 'all', 40, 2, 0.75, 0.6, 0.86, 'Wilson'),
        Figure('coverage', 'all', 40, 2, 0.95, 0.83, 0.99, 'Wilson'),
        *(
            Figure(score, code, 20, 1, 0.5, 0.3, 0.7, 'Wilson')
            for code in 'AB'
            for score in ('precision', 'recall', 'f1', 'coverage')
        ),
    ]
    return {
        **dict(
            method='SwAV',
            supervised=False,
            backbone='ResNet(depth=50)',
            size=[224, 224],
            training_text='SwAV on train.',
            classifier_text='fitted to 50 images.',
            code=dict(bm_plugins='1', git_commit='a' * 40, git_dirty=True),
            versions=dict(torch='2', mmpretrain='1'),
            config='linear_bm.py',
            config_sha256='b' * 64,
            checkpoint='epoch_1.pth',
            checkpoint_sha256='c' * 64,
            manifest_sha256='d' * 64,
            protocol='stratified',
            counts=dict(A=[30, 19, 20], B=[20, 18, 20], C=[0, 1, 0]),
            totals=[50, 38, 40],
            untrained=['C'],
            unmeasured=['C'],
            synthetic='Of synthetic cells.',
            cautions=['Beware.'],
            calibration_text='val part',
            test_text='test part',
            reference=9,
            per_class=5,
            prior=dict(
                shares=[0.6, 0.4, 0], text='each class | equally', agrees=True
            ),
            figures=[asdict(figure) for figure in figures],
        ),
        **changes,
    }


def test_scale_of_the_training_images():
    scale = dict(width=250, height=240, um_per_px=0.1, share=1.0)
    card = write_card(info(scale=scale), CLASSES, NAMES, 1.0)
    assert '- Training images: 250 x 240 px, 0.1 µm per pixel.' in card
    card = write_card(info(), CLASSES, NAMES, 1.0)
    assert '- Training images: size and scale not known.' in card


def rows(card, heading):
    """Cells of the first table after a heading."""
    lines = card.split(heading)[1].split('\n\n')
    table = next(block for block in lines if block.startswith('|'))
    found = [line.strip('|').split('|') for line in table.splitlines()]
    return [[cell.strip() for cell in row] for row in found[2:]]


def test_says_what_was_measured_with_n_and_interval():
    card = write_card(info(), CLASSES, NAMES, 1.25)
    assert 'Research use only, not for diagnosis.' in card
    assert 'Temperature 1.250, fitted on 38 images (val part)' in card
    assert 'fitted for cells with each class \\| equally, and' in card
    assert 'commit aaaaaaaaaaaa, with changes' in card
    assert rows(card, '## Measured') == [
        ['accuracy', '0.750 [0.600, 0.860]', '40', '2', 'Wilson'],
        [
            'sets that hold the true class',
            '0.950 [0.830, 0.990]',
            '40',
            '2',
            'Wilson',
        ],
    ]
    assert rows(card, '## Data')[0] == ['A', 'Alpha', '30', '19', '20']
    assert rows(card, '## Data')[-1] == ['all', '', '50', '38', '40']
    by_class = rows(card, 'which a few images swing.')
    assert by_class == [[code, *['0.500 [0.300, 0.700]'] * 4] for code in 'AB']
    assert 'nothing is measured: C' in card and 'rightly suggested: C' in card
    assert '(fewer than 19) for a promise of the sets: B, C.\n' in card
    assert '- Of synthetic cells.\n- Beware.\n' in card
    assert card.endswith('\n') and '\n\n\n' not in card


def test_headings_are_those_of_a_model_card():
    card = write_card(info(cautions=[]), CLASSES, NAMES, 1)
    titles = [x[3:] for x in card.splitlines() if x.startswith('## ')]
    assert titles == [
        'What it is',
        'Data',
        'Intended use',
        'Limits',
        'Measured',
        'Calibration',
    ]


def test_text_from_outside_is_escaped():
    """A checkpoint may claim any method; a class may have any name."""
    evil = 'X\n## Approved\n<script>alert(1)</script> [a](http://b)'
    card = write_card(
        info(method=evil, training_text=evil, checkpoint='a|b.pth'),
        CLASSES,
        NAMES,
        1,
    )
    assert '\n## Approved' not in card
    assert '\\<script\\>' in card and '<script>' not in card.replace('\\<', '')
    assert '[a](' not in card.replace('\\[', '').replace('\\]', '')
    assert 'Beta \\| two' in card and 'a\\|b.pth' in card
