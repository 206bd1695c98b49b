import csv
from dataclasses import replace

import numpy as np
import pytest

from bm_plugins.errors import InputError
from bm_plugins.report.runs.folds import (
    fold_scores,
    folds_report,
    read_protocol,
    write_folds,
)
from bm_plugins.report.runs.run_folder import read_run
from tests.report.written_run import draw, write_fold


def folds(tmp_path, accuracies=(0.4, 0.6, 0.8)):
    result = []
    for fold, accuracy in enumerate(accuracies):
        labels, scores = draw(90, accuracy, seed=fold)
        folder = write_fold(tmp_path, fold, labels, scores)
        result.append(read_run(folder))
    return result


def test_summary_is_the_mean_and_std_over_the_folds(tmp_path):
    runs = folds(tmp_path)
    write_folds(runs, tmp_path, 'by hand; 3 folds')
    assert read_protocol(tmp_path) == 'by hand; 3 folds'
    with open(tmp_path / 'summary.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ['code', 'name', 'metric', 'mean', 'std', 'folds']
    accuracies = [(r.predictions == r.labels).mean() for r in runs]
    row = next(r for r in rows if r['metric'] == 'accuracy')
    assert float(row['mean']) == pytest.approx(np.mean(accuracies), abs=1e-6)
    # ddof 1, written out
    m = sum(accuracies) / 3
    std = (sum((a - m) ** 2 for a in accuracies) / 2) ** 0.5
    assert float(row['std']) == pytest.approx(std, abs=1e-6)
    assert row['folds'] == '3' and row['code'] == 'all'
    assert {r['code'] for r in rows} == {*'ABCD', 'all'}


def test_a_class_that_a_fold_does_not_test(tmp_path):
    labels, scores = draw(60, 0.7, seed=0)
    few = labels % 3  # no D
    runs = [
        read_run(write_fold(tmp_path, 0, labels, scores)),
        read_run(write_fold(tmp_path, 1, few, scores)),
    ]
    by_key = {(s.score, s.of): s for s in fold_scores(runs)}
    assert len(by_key['f1', 'D'].values) == 1
    assert np.isnan(by_key['f1', 'D'].std)
    report = folds_report(runs, 'by hand')
    row = next(x for x in report.splitlines() if x.startswith('| D |'))
    assert '| 1 |' in row and '±' not in row
    write_folds(runs, tmp_path, 'by hand')
    with open(tmp_path / 'summary.csv', newline='') as stream:
        rows = {(r['code'], r['metric']): r for r in csv.DictReader(stream)}
    assert rows['D', 'f1']['std'] == '' and rows['D', 'f1']['folds'] == '1'


def test_pooled_figures_are_of_all_predictions(tmp_path):
    runs = folds(tmp_path)
    right = sum((r.predictions == r.labels).sum() for r in runs)
    report = folds_report(runs, 'by hand')
    row = next(x for x in report.splitlines() if x.startswith('| accuracy'))
    assert row.split('|')[3].strip().startswith(f'{right / 270:.3f} [')
    assert '3 folds of 90, 90, 90 test images' in report


def test_how_the_folds_classifiers_were_fitted(tmp_path):
    runs = folds(tmp_path)
    assert 'Linear classifier' not in folds_report(runs, 'by hand')
    runs = [
        replace(run, classifier=f'balanced, L2 {l2}')
        for run, l2 in zip(runs, (1, 0.1, 1), strict=True)
    ]
    expected = 'of each fold: balanced, L2 1; balanced, L2 0.1.'
    assert folds_report(runs, 'by hand').splitlines()[1].endswith(expected)


def test_intervals_of_scores_stay_scores(tmp_path):
    runs = folds(tmp_path, (0.0, 1.0, 0.0))
    text = str(next(s for s in fold_scores(runs) if s.score == 'accuracy'))
    assert text.endswith('[0.000, 1.000]')


def test_folds_that_share_an_image(tmp_path):
    labels, scores = draw(20, 0.7, seed=0)
    runs = [
        read_run(write_fold(tmp_path / str(i), 0, labels, scores))
        for i in range(2)
    ]
    with pytest.raises(InputError, match='is a test image of .* too'):
        fold_scores(runs)


def test_folds_of_other_classes(tmp_path):
    labels, scores = draw(20, 0.7, seed=0)
    runs = [
        read_run(write_fold(tmp_path, 0, labels, scores)),
        read_run(write_fold(tmp_path, 1, labels, scores, codes='ABCE')),
    ]
    with pytest.raises(InputError, match='its classes are not'):
        fold_scores(runs)
