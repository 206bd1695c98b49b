import csv
import json
import re

import numpy as np
import pytest
from mmengine.config import Config

from bm_plugins.datasets.matek_classes import CLASSES, FULL_NAMES
from bm_plugins.report.runs.folds import write_folds
from bm_plugins.report.runs.run_folder import read_run
from tests.report.written_run import draw, write_fold, write_run

META = dict(full_names=FULL_NAMES)


def table(folder, number):
    with open(folder / f'table{number}.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    return {(r['code'], r['method'], r['metric']): r for r in rows}


@pytest.fixture
def run(tmp_path):
    """A run of 8 of the classes, as on a small part of the collection."""
    rng = np.random.default_rng(0)
    labels = rng.choice([1, 2, 3, 4, 5, 10, 15, 20], 400)
    _, scores = draw(400, 0.8, 0, classes=21, labels=labels)
    return write_run(tmp_path / 'run_1', labels, scores, CLASSES, **META)


def test_a_run_beside_the_paper(tmp_path, tool, run):
    out = tmp_path / 'out'
    status, printed, error = tool('report', run, '--out', out)
    assert status == 0, error
    names = {'report.md', 'run.json'}
    names |= {f'table{n}.{e}' for n in (2, 3, 4) for e in ('csv', 'md', 'tex')}
    assert {f.name for f in out.iterdir()} == names
    found = table(out, 4)
    row = found['macro', 'paper, SwAV + linear', 'f1']
    assert float(row['value']) == pytest.approx(0.732, abs=5e-4)
    assert row['source'] == 'published' and row['low'] == ''
    read = read_run(run)
    mine = found['BLA', 'run_1', 'f1']
    figure = read.figures['f1', 'BLA']
    assert int(mine['n']) == figure.n and mine['source'] == 'run'
    for key in ('value', 'low', 'high'):
        expected = getattr(figure, key)
        assert float(mine[key]) == pytest.approx(expected, abs=1e-6)
    # All of the run's eight classes are common; the paper's mean is of them.
    common = found['macro_common', 'paper, SwAV + linear', 'recall']
    eight = [
        float(found[CLASSES[i], 'paper, SwAV + linear', 'recall']['value'])
        for i in (1, 2, 3, 4, 5, 10, 15, 20)
    ]
    assert float(common['value']) == pytest.approx(np.mean(eight), abs=1e-6)
    for metric in ('precision', 'recall', 'f1'):
        rows = [found[m, 'run_1', metric] for m in ('macro', 'macro_common')]
        first, second = (
            [r[k] for k in ('value', 'low', 'high')] for r in rows
        )
        assert first == second, metric
    assert ('MYB', 'run_1', 'f1') not in found  # no test image
    stds = table(out, 3)
    key = 'ART', 'paper, ResNeXt-50', 'recall'
    assert stds[key]['std'] == '0.002500' and stds[key]['value'] == '0.831200'
    assert 'by hand; 400 test images' in printed
    assert 'Research use only' in printed
    right = (read.labels == read.predictions).mean()
    assert f'\n| accuracy | {right:.3f} [' in printed


def test_latex_has_as_many_cells_in_each_row(tmp_path, tool, run):
    out = tmp_path / 'out'
    name = 'my_run 50% & more'
    assert tool('report', run, '--out', out, '--names', name)[0] == 0
    for number, metrics, methods in ((2, 1, 2), (3, 2, 4), (4, 3, 3)):
        text = (out / f'table{number}.tex').read_text()
        assert r'my\_run 50\% \& more' in text
        body = text.split('\\midrule', 1)[1].splitlines()
        rows = [line for line in body if line.endswith('\\\\')]
        cells = {len(re.split(r'(?<!\\)&', row)) for row in rows}
        assert cells == {3 + metrics * methods} and len(rows) == 25
        columns = re.search(r'\{tabular\}\{(.+)\}', text)[1]
        assert {len(columns)} == cells


def test_a_cross_validation(tmp_path, tool):
    runs = []
    for fold in range(3):
        labels, scores = draw(105, 0.8, fold, classes=21)
        folder = write_fold(tmp_path, fold, labels, scores, CLASSES, **META)
        runs.append(read_run(folder))
    write_folds(runs, tmp_path, '3 folds, by hand')
    out = tmp_path / 'out'
    status, printed, error = tool(
        'report', tmp_path, '--out', out, '--names', 'mine'
    )
    assert status == 0, error
    assert (
        '- mine: 3 folds, by hand; 315 test images in all; how it was '
        in printed
    )
    row = table(out, 3)['macro', 'mine', 'recall']
    values = [r.figures['macro_recall', 'all'].value for r in runs]
    assert float(row['value']) == pytest.approx(np.mean(values), abs=1e-6)
    assert float(row['std']) == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert float(row['low']) < float(row['value']) < float(row['high'])


def test_a_laboratory_with_its_own_classes(tmp_path, tool):
    labels, scores = draw(60, 0.8, 0)
    run = write_run(tmp_path / 'lab', labels, scores, ('W', 'X', 'Y', 'Z'))
    out = tmp_path / 'out'
    status, _, error = tool('report', run, '--out', out)
    assert status == 0, error
    found = table(out, 4)
    assert ('W', 'lab', 'f1') in found
    assert not any(code == 'macro_common' for code, _, _ in found)


def test_what_cannot_be_reported(tmp_path, tool, run):
    def refused(*args):
        status, _, error = tool('report', *args, '--out', tmp_path / 'out')
        assert status == 2 and len(error.splitlines()) == 1
        return error

    assert 'predictions.csv does not exist' in refused(tmp_path)
    assert '1 for 2 runs' in refused(run, run, '--names', 'a')
    (tmp_path / 'bad').mkdir()
    (tmp_path / 'bad/summary.csv').write_text('code,name\nABE,x\n')
    (tmp_path / 'bad/folds.csv').write_text('fold,code\n0,ABE\n')
    assert 'not as tools/kfold.py writes' in refused(tmp_path / 'bad')


def record(folder, config, checkpoint='x.pth'):
    """What tools/test.py leaves beside its figures."""
    text = Config.fromfile(f'configs/{config}.py').pretty_text
    facts = dict(config=dict(text=text), checkpoint=checkpoint)
    (folder / 'run_test.json').write_text(json.dumps(facts))


@pytest.mark.slow
def test_each_kind_of_run_stands_in_its_own_table(tmp_path, tool):
    labels, scores = draw(105, 0.8, 0, classes=21)
    runs = {}
    how = 'unweighted cross-entropy, L2 0.1'
    fitted = dict(META, classifier=how)
    for name, config, checkpoint in (
        ('supervised', 'resnext50_20e_bm', 'x.pth'),
        ('weighted', 'resnet_tiny_weighted_bm', 'x.pth'),
        ('swav', 'linear_bm', 'x.pth'),
        ('untrained', 'linear_tiny_bm', None),
        ('sgd', 'linear_sgd_bm', 'x.pth'),
        ('supcon folds', 'linear_tiny_bm', 'x.pth'),
        ('knn', '', '--knn 20 --out a'),
        ('features', '', '--out a'),
        ('old', '', ''),
    ):
        folder = runs[name] = tmp_path / name
        if name == 'supcon folds':
            tests = [
                write_fold(folder, k, labels, scores, CLASSES, **fitted)
                for k in range(2)
            ]
            record(tests[0], config, checkpoint)
            write_folds([read_run(x) for x in tests], folder, 'by hand')
            continue
        meta = fitted if name in ('swav', 'features') else META
        write_run(folder, labels, scores, CLASSES, **meta)
        if config:
            record(folder, config, checkpoint)
        elif checkpoint:
            command = f'tools/evaluate_features.py f.h5 {checkpoint}'
            (folder / 'run.json').write_text(json.dumps({'command': command}))
    out = tmp_path / 'out'
    status, printed, error = tool('report', *runs.values(), '--out', out)
    assert status == 0, error
    assert printed.endswith('report.md table{2,3,4,5}.{csv,md,tex}\n')
    linear = {'swav', 'untrained', 'sgd', 'supcon folds', 'features', 'old'}
    for number, names in {
        2: {'supervised', 'weighted', 'old'},
        3: {'supervised', 'weighted', 'old'},
        4: linear,
        5: {'knn'},
    }.items():
        found = table(out, number).values()
        ours = {row['method'] for row in found if row['source'] == 'run'}
        assert ours == names, number
    for name, what in (
        ('supervised', 'supervised'),
        ('untrained', 'untrained network, linear classifier on frozen'),
        ('swav', f'linear classifier on frozen features, {how}.'),
        ('features', f'linear classifier on frozen features, {how}.'),
        ('supcon folds', f'linear classifier on frozen features, {how}.'),
        ('sgd', 'linear classifier on frozen features.'),
        ('knn', 'k-NN on frozen features'),
        ('old', 'how it was trained is not recorded, so it is in each'),
    ):
        (line,) = [
            x for x in printed.splitlines() if x.startswith(f'- {name}: ')
        ]
        assert f'; {what}' in line
    # A report without such runs leaves no table of an earlier one.
    assert tool('report', runs['swav'], '--out', out)[0] == 0
    assert not list(out.glob('table5*'))
    assert not [r for r in table(out, 2).values() if r['source'] == 'run']
