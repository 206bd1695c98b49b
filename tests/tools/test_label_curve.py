"""Routes at several numbers of labels: the same labels, nested, compared."""

import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from bm_plugins.apis.features.feature_file import write_features
from bm_plugins.datasets import Matek
from bm_plugins.experiments.label_curve import few_labels
from bm_plugins.report.runs.label_curve import points_of
from bm_plugins.report.runs.run_folder import read_run
from tests.apis.features.test_feature_evaluation import blobs


def write(file, found):
    write_features(
        file,
        [(range(len(found.labels)), found.features)],
        found.labels,
        found.paths,
        found.splits,
        dict(classes=found.classes, full_names=found.full_names, protocol='p'),
    )
    return file


def test_fewer_labels_are_among_more_and_draws_differ():
    found = blobs()

    def train(count, draw):
        some = few_labels(found, count, draw)
        rows = some.rows(('train', 'val'))
        counts = Counter(some.labels[rows].tolist())
        assert some.splits.count('test') == 30
        return {some.paths[row] for row in rows}, counts

    (two, counts), (ten, _), (whole, every) = (
        train(count, 0) for count in (2, 10, None)
    )
    assert set(counts.values()) == {2} and len(ten) == 30
    assert two < ten < whole and sum(every.values()) == 90
    assert train(2, 1)[0] != two


def test_the_labels_of_a_training_are_those_of_features(cells):
    whole = Matek(str(cells), split=('train', 'val'))
    rows = [whole.get_data_info(i) for i in range(len(whole))]
    some = Matek(str(cells), split=('train', 'val'), per_class=3, draw=2)
    chosen = {some.get_data_info(i)['path'] for i in range(len(some))}
    found = blobs()
    found = type(found)(
        np.zeros((len(rows) + 1, 1)),
        np.array([row['gt_label'] for row in rows] + [0]),
        [row['path'] for row in rows] + ['test.jpg'],
        ['train'] * len(rows) + ['test'],
        whole.metainfo['classes'],
        whole.metainfo['full_names'],
        {},
    )
    assert {*few_labels(found, 3, 2).paths} - {'test.jpg'} == chosen
    assert len(chosen) == 9
    protocol = some.metainfo['protocol']
    assert protocol.endswith(', 3 images a class, choice 2')


@pytest.mark.slow
def test_table_picture_and_what_is_kept(tool, tmp_path):
    good = write(tmp_path / 'good.h5', blobs(spread=1.8))
    poor = write(tmp_path / 'poor.h5', blobs(spread=4))
    out = tmp_path / 'out'
    args = ('--labels', '2', 'all', '--draws', '3', '--out', out)
    routes = (f'poor={poor}', f'good={good}')
    status, said, error = tool('label_curve', *routes, *args)
    assert status == 0, error
    assert (out / 'label_curve.png').stat().st_size > 5000
    table = (out / 'label_curve.md').read_text()
    assert table in said
    runs = {
        (route, budget): [
            read_run(out / route / f'{budget or "all"}_{draw}')
            for draw in range(3 if budget else 1)
        ]
        for route in ('poor', 'good')
        for budget in (2, None)
    }
    points = points_of(runs)
    for point in points:
        own = runs[point.route, point.labels]
        scores = [
            f1_score(run.labels, run.predictions, average='macro')
            for run in own
        ]
        assert point.value == pytest.approx(np.mean(scores))
        assert point.low < point.value < point.high <= 1
        row = f'{point.value:.3f} [{point.low:.3f}, {point.high:.3f}]'
        assert row in table
    better = next(p for p in points if (p.route, p.labels) == ('good', None))
    assert better.gain_low > 0
    # The intervals of few labels hold the draws of labels, too.
    few, many = (p for p in points if p.route == 'poor')
    assert few.high - few.low > many.high - many.low
    kept = out / 'good/2_1/predictions.csv'
    before = kept.stat().st_mtime_ns
    status, again, error = tool('label_curve', *routes, *args)
    assert status == 0 and kept.stat().st_mtime_ns == before, error
    assert table in again
    # A number that is said twice counts once.
    twice = ('--labels', '2', '2', '--draws', '3', '--out', out)
    status, again, error = tool('label_curve', *routes, *twice)
    assert status == 0 and 'Run 6 of 6' in again, error
    # Figures of other features do not pass for these.
    status, _, error = tool('label_curve', f'poor={good}', *args)
    assert status == 2 and 'poor/2_0 holds an experiment that' in error
    assert 'differs in features' in error


@pytest.mark.slow
def test_a_route_that_is_trained(tool, tmp_path, cells, monkeypatch):
    # Paths are the caller's, wherever the trainings run.
    config, root = Path('configs/resnet_tiny_bm.py'), tmp_path / 'elsewhere'
    (root / 'tools').mkdir(parents=True)
    (root / 'tools/label_curve.py').symlink_to(
        Path('tools/label_curve.py').resolve()
    )
    config = os.path.relpath(config, root)
    monkeypatch.chdir(root)
    monkeypatch.setenv('BM_DATA_ROOT', os.path.relpath(cells))
    status, said, error = tool(
        *('label_curve', f'net={config}'),
        *('--labels', '2', '--draws', '1', '--gpus', '1'),
        *('--out', '../out', '--cfg-options'),
        *('train_cfg.max_epochs=1', 'train_dataloader.batch_size=8'),
    )
    assert status == 0, said + error
    (run,) = points_of({('net', 2): [read_run(tmp_path / 'out/net/2_0/test')]})
    assert f'| 2 | {run.value:.3f} [' in said
    log = (tmp_path / 'out/net/2_0/train/output.log').read_text()
    # As many steps as of all labels, of 2 in each class here.
    whole = len(Matek(str(cells), split=('train', 'val')))
    assert re.search(rf'\[1\]\[ *\d+/{whole // 8}\]', log), log


@pytest.mark.parametrize(
    'args,message',
    [
        (['a=none.h5'], 'a=none.h5: expected NAME=F.h5 or NAME=CONFIG.py'),
        (['a=Makefile'], 'a=Makefile: expected NAME=F.h5'),
        (['a=setup.py', 'a=setup.py'], 'two routes have the same name'),
        (['a=setup.py', '--labels', '0'], '--labels 0: expected a number'),
        (['a=setup.py', '--draws', '0'], '--draws and --gpus: expected 1'),
        (['a=configs/swav_tiny_bm.py'], 'has no training or no test part'),
        (
            ['a=configs/resnet_tiny_unbalanced_bm.py', '--labels', '2'],
            'draws by DefaultSampler',
        ),
    ],
)
def test_what_cannot_be_done(tool, tmp_path, args, message):
    status, _, error = tool('label_curve', *args, '--out', tmp_path / 'out')
    assert status == 2 and message in error
    assert len(error.splitlines()) == 1
