"""A score of one's own stands in every table."""

from dataclasses import asdict

import numpy as np
import pytest

from bm_plugins.apis.bundle.bundle import Validation
from bm_plugins.apis.publishing.card import write_card
from bm_plugins.apis.publishing.figures import bundle_figures
from bm_plugins.errors import InputError
from bm_plugins.evaluation import add_score
from bm_plugins.evaluation.functional import known_scores
from bm_plugins.evaluation.functional.confusion import averages
from bm_plugins.report.runs.folds import FoldScore, folds_report, write_folds
from bm_plugins.report.runs.method_column import read_method
from bm_plugins.report.runs.results_table import results_table
from bm_plugins.report.runs.run_folder import read_run
from bm_plugins.visualization.curves import curves_picture
from tests.apis.publishing.test_card import CLASSES, NAMES, info
from tests.report.written_run import draw, write_fold


@pytest.fixture(autouse=True)
def margin(monkeypatch):
    """The share that is right less the share that is wrong."""
    scores = dict(known_scores.SCORES)
    monkeypatch.setattr(known_scores, 'SCORES', scores)

    @add_score('margin', 'right less wrong', least=-1)
    def margin(matrix):
        right = np.trace(matrix, axis1=-2, axis2=-1)
        return 2 * right / matrix.sum((-2, -1)) - 1


def test_value_by_hand():
    matrices = np.array([[[3, 1], [2, 4]], [[0, 5], [5, 0]]])
    assert averages(matrices, 1)['margin'].tolist() == pytest.approx([0.4, -1])


def test_in_the_tables_of_folds_and_of_several_seeds(tmp_path):
    given = [draw(80, 0.2, seed) for seed in range(3)]
    for fold, (labels, scores) in enumerate(given):
        write_fold(tmp_path, fold, labels, scores)
    runs = [read_run(tmp_path / f'fold_{i}' / 'test') for i in range(3)]
    values = [2 * (r.labels == r.predictions).mean() - 1 for r in runs]
    mean = np.mean(values)
    assert mean < 0  # some 40 % are right
    report = folds_report(runs, 'by hand')
    assert f'| right less wrong | {mean:.3f} ± ' in report
    write_folds(runs, tmp_path, 'by hand')
    cell = read_method(tmp_path, 'a').cells['margin', 'all']
    assert cell.value == pytest.approx(mean, abs=1e-6)
    assert -1 <= cell.low < mean < cell.high
    table = results_table({'a': runs[:1], 'b': runs[:1]}, replicates=20)
    head, _, row = table.splitlines()[2:5]
    assert head.endswith('| right less wrong |')
    assert row.split('|')[-2].startswith(f' {values[0]:.3f} [')


def test_interval_over_folds_ends_where_the_score_does():
    ends = {
        name: str(FoldScore(name, 'all', (-0.9, 0.9)))[14:]
        for name in ('margin', 'accuracy')
    }
    assert ends == dict(
        margin='[-1.000, 1.000]',
        accuracy='[0.000, 1.000]',
    )


def test_on_the_card():
    labels = np.array([0, 0, 0, 1])
    logits = np.eye(2)[[0, 0, 1, 1]] * 3
    part = Validation(logits, labels, np.ones(4))
    figures = bundle_figures(part, 1.0, part, ('A', 'B'), np.ones(2) / 2)
    figure = figures['margin', 'all']
    assert figure.value == 0.5  # three of four
    text = write_card(
        info(figures=[asdict(figure)]), CLASSES, NAMES, temperature=1.0
    )
    row = f'| right less wrong | 0.500 [{figure.low:.3f}, {figure.high:.3f}] |'
    assert row in text


def test_among_the_curves():
    points = {1: 0.1, 2: 0.4}
    picture = curves_picture({'a': {'per_class/margin': points}})
    assert picture.axes[0].get_title() == 'validation: margin'


def test_what_cannot_be_one():
    with pytest.raises(InputError, match='score macro_f1: there is one'):
        add_score('macro_f1', 'mine')(np.trace)
    with pytest.raises(InputError, match=r'shape \(3, 3\), expected \(2, 4\)'):
        add_score('mine', 'mine')(np.trace)
    assert 'mine' not in known_scores.SCORES
