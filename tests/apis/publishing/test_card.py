"""The model card."""

from dataclasses import asdict

from bm_plugins.apis.publishing.card import write_card
from bm_plugins.evaluation.metrics.scores import Figure

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
