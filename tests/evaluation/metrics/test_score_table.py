import numpy as np

from bm_plugins.evaluation.metrics.score_table import score_table
from bm_plugins.evaluation.metrics.scores import figures_of

CODES = ('AAA', 'BBB', 'CCC')


def table(min_support):
    labels = np.array([0] * 12 + [1] * 3)
    scores = np.full((15, 3), 0.1)
    scores[np.arange(15), [0] * 10 + [1] * 5] = 0.8
    figures = figures_of(labels, scores, CODES, min_support)
    names = ('First', 'Second', 'Third')
    return figures, score_table(figures, CODES, names, min_support, 'by hand')


def test_each_figure_has_n_protocol_and_interval():
    figures, text = table(10)
    lines = text.splitlines()
    assert lines[0].startswith('15 test images; protocol: by hand.')
    assert max(map(len, lines)) < 105
    row = next(line for line in lines if line.startswith('AAA'))
    assert row.split()[:3] == ['AAA', 'First', '12']
    for score in ('precision', 'recall', 'f1'):
        assert str(figures[score, 'AAA']) in row
    assert str(figures['recall', 'AAA']) == '0.833 [0.552, 0.953]'
    macro = next(line for line in lines if line.startswith('macro F1'))
    without = figures['macro_f1_min_support', 'all']
    assert f'2 classes; n >= 10 alone: {without} 1' in macro
    assert lines[-2:] == ['few test images: BBB', 'no test images: CCC']


def test_how_a_linear_classifier_was_fitted():
    figures, text = table(10)
    assert 'classifier' not in text
    more = score_table(figures, CODES, CODES, 10, 'by hand', 'balanced, L2 1')
    assert 'classifier: balanced, L2 1' in more.splitlines()[:5]


def test_no_class_of_enough_images():
    _, text = table(100)
    assert 'n >= 100 alone: none' in text
