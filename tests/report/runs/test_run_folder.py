import csv

import numpy as np
import pytest

from bm_plugins.errors import InputError
from bm_plugins.report.runs.run_folder import (
    check_same_test,
    classifiers_of,
    read_run,
)
from tests.report.written_run import draw, write_run


def test_reads_what_the_metric_wrote(tmp_path):
    labels, scores = draw(50, 0.6, seed=0)
    run = read_run(write_run(tmp_path, labels, scores))
    assert run.codes == run.names == ('A', 'B', 'C', 'D')
    order = np.argsort([f'{"ABCD"[x]}/{i:05}' for i, x in enumerate(labels)])
    assert (run.labels == labels[order]).all()
    np.testing.assert_allclose(run.scores, scores[order], rtol=1e-5)
    assert (run.predictions == scores[order].argmax(1)).all()
    assert run.protocol == 'by hand'
    accuracy = run.figures['accuracy', 'all']
    assert accuracy.n == 50 and accuracy.interval == 'Wilson'
    assert accuracy.value == pytest.approx((labels == scores.argmax(1)).mean())


def test_how_the_classifiers_were_fitted(tmp_path):
    labels, scores = draw(50, 0.6, seed=0)
    runs = []
    for name, meta in (
        ('a', dict(classifier='balanced, L2 1')),
        ('b', dict(classifier='balanced, L2 0.1')),
        ('c', {}),
    ):
        folder = write_run(tmp_path / name, labels, scores, **meta)
        runs.append(read_run(folder))
    assert classifiers_of(runs[:1] * 2) == 'balanced, L2 1'
    assert classifiers_of(runs) == (
        'balanced, L2 1; balanced, L2 0.1; not recorded'
    )
    assert classifiers_of(runs[2:]) == ''


def test_a_folder_of_an_older_version(tmp_path):
    labels, scores = draw(50, 0.6, seed=0)
    write_run(tmp_path, labels, scores, classifier='balanced, L2 1')
    newer = read_run(tmp_path)
    file = tmp_path / 'figures.csv'
    with open(file, newline='') as stream:
        rows = [row[:-1] for row in csv.reader(stream)]
    assert rows[0][-1] == 'protocol'
    with open(file, 'w', newline='') as stream:
        csv.writer(stream).writerows(rows)
    older = read_run(tmp_path)
    assert (newer.classifier, older.classifier) == ('balanced, L2 1', '')
    assert older.figures.keys() == newer.figures.keys()


def test_what_is_not_the_same_test(tmp_path):
    labels, scores = draw(50, 0.6, seed=0)
    first = read_run(write_run(tmp_path / 'a', labels, scores))
    check_same_test([first, read_run(tmp_path / 'a')])
    fewer = read_run(write_run(tmp_path / 'b', labels[1:], scores[1:]))
    with pytest.raises(InputError, match=r'b: its test images \('):
        check_same_test([first, fewer])
    renamed = read_run(write_run(tmp_path / 'c', labels, scores, 'ABCE'))
    with pytest.raises(InputError, match='c: its classes are A B C E'):
        check_same_test([first, renamed])
    text = (tmp_path / 'a/predictions.csv').read_text()
    (tmp_path / 'a/predictions.csv').write_text(
        text.replace('.jpg,A,', '.jpg,B,', 1)
    )
    with pytest.raises(InputError, match='label of A/'):
        check_same_test([first, read_run(tmp_path / 'a')])


def test_broken_folders(tmp_path):
    with pytest.raises(InputError, match='predictions.csv does not exist'):
        read_run(tmp_path)
    write_run(tmp_path, *draw(20, 0.6, seed=0))
    file = tmp_path / 'figures.csv'
    file.write_text(file.read_text().replace('Wilson', 'Wilson,', 1))
    with pytest.raises(InputError, match='not as tools/test.py writes them'):
        read_run(tmp_path)
    file.write_text('score,of\n')
    with pytest.raises(InputError, match='figures.csv has no rows'):
        read_run(tmp_path)
