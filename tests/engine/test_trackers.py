"""A short training with all three trackers, each read by its own reader."""

import csv
import json
import sys
from pathlib import Path
from uuid import uuid4

import pytest
import wandb
from mlflow import MlflowClient
from mmengine.config import Config
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from bm_plugins.engine import MarrowRunner
from bm_plugins.engine.trackers import with_trackers
from bm_plugins.errors import InputError
from bm_plugins.experiments.experiment import read_config
from tests.engine.wandb_records import history


@pytest.fixture(scope='module')
def tracked(cells, tmp_path_factory):
    """The folder of a supervised epoch of 3 steps, validated and tested."""
    folder = tmp_path_factory.mktemp('tracked')
    cfg = Config.fromfile('configs/resnet_tiny_val_bm.py')
    cfg.merge_from_dict(
        {
            'train_dataloader.batch_size': 6,
            'train_dataloader.sampler.samples_per_class': 6,
            'default_hooks.logger.interval': 1,
            'default_hooks.checkpoint': None,
            'train_cfg.max_epochs': 1,
            'tracker': ['tensorboard', 'wandb', 'mlflow'],
            'work_dir': str(folder),
            'experiment_name': uuid4().hex,
        }
    )
    for part in ('train', 'val', 'test'):
        loader = cfg[f'{part}_dataloader']
        loader.num_workers = 0
        loader.dataset.data_root = str(cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('WANDB_MODE', 'offline')
        patch.delenv('MLFLOW_TRACKING_URI', raising=False)
        wandb.teardown()  # forget the settings of other tests
        MarrowRunner.from_cfg(cfg).train()
    return next(folder.glob('*/vis_data'))


@pytest.fixture(scope='module')
def logged(tracked):
    """What scalars.json has: losses by step, averages of the validation."""
    lines = (tracked / 'scalars.json').read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    losses = {row['step']: row['loss'] for row in rows if 'loss' in row}
    [val] = [row for row in rows if 'per_class/macro_f1' in row]
    assert sorted(losses) == [1, 2, 3]
    return losses, val


@pytest.fixture(scope='module')
def by_class(tracked):
    """F1 by class as per_class.csv has it."""
    with open(tracked.parent / 'per_class.csv') as stream:
        rows = [r for r in csv.DictReader(stream) if int(r['support'])]
    assert {row['code'] for row in rows} == {'ABE', 'BLA', 'LYT'}
    return {row['code']: float(row['f1']) for row in rows}


@pytest.mark.slow
def test_tensorboard(tracked, logged, by_class):
    losses, val = logged
    events = EventAccumulator(str(tracked))
    events.Reload()

    def points(name):
        return {e.step: e.value for e in events.Scalars(name)}

    assert points('loss') == pytest.approx(losses, rel=1e-4)
    key = 'per_class/macro_f1'
    assert points(key) == pytest.approx({1: val[key]}, rel=1e-4)
    for code, value in by_class.items():
        assert points(f'f1/{code}') == pytest.approx({1: value}, abs=1e-5)
    assert 'f1/NGS' not in events.Tags()['scalars']  # no image of it


def test_wandb(tracked, logged, by_class):
    losses, val = logged
    rows = [
        {key: json.loads(value) for key, value in row.items()}
        for row in history(tracked)
    ]
    found = {row['step']: row['loss'] for row in rows if 'loss' in row}
    assert found == pytest.approx(losses, rel=1e-4)
    key = 'per_class/macro_f1'
    [row] = [row for row in rows if key in row]
    assert row[key] == pytest.approx(val[key], rel=1e-4) and row['step'] == 1
    [row] = [row for row in rows if 'f1/BLA' in row]
    for code, value in by_class.items():
        assert row[f'f1/{code}'] == pytest.approx(value, abs=1e-5)
    # The code stays here: no artifact of every file below.
    assert not list(tracked.rglob('wandb/**/*.py'))


def test_mlflow(tracked, logged, by_class):
    losses, val = logged
    client = MlflowClient(f'file://{tracked}')
    [run] = client.search_runs(
        [client.get_experiment_by_name('Default').experiment_id]
    )
    assert run.info.status == 'FINISHED'
    assert run.data.params['train_cfg.max_epochs'] == '1'

    def points(name):
        history = client.get_metric_history(run.info.run_id, name)
        return {m.step: m.value for m in history}

    assert points('loss') == pytest.approx(losses, rel=1e-4)
    key = 'per_class/macro_f1'
    assert points(key) == pytest.approx({1: val[key]}, rel=1e-4)
    for code, value in by_class.items():
        assert points(f'f1/{code}') == pytest.approx({1: value}, abs=1e-5)
    filed = {f.path for f in client.list_artifacts(run.info.run_id)}
    assert {'run.json', 'per_class.csv', 'config.py'} <= filed
    assert 'meta.yaml' not in filed


def test_without_a_tracker_nothing_changes():
    visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(a=1)])
    assert with_trackers(visualizer, None) is visualizer
    assert with_trackers(None, None) is None


def test_one_line_of_a_command():
    cfg = read_config_with('tracker=wandb')
    assert backends(cfg) == [
        dict(type='LocalVisBackend'),
        dict(type='WandbVisBackend'),
    ]
    cfg = read_config_with(
        'tracker.type=wandb', 'tracker.init_kwargs.project=marrow'
    )
    assert backends(cfg)[1] == dict(
        type='WandbVisBackend', init_kwargs=dict(project='marrow')
    )
    cfg = read_config_with('tracker=tensorboard,mlflow')
    assert [b['type'] for b in backends(cfg)[1:]] == [
        'TensorboardVisBackend',
        'MLflowVisBackend',
    ]


def read_config_with(*options):
    return read_config(Path('configs/swav_tiny_bm.py'), options)


def backends(cfg):
    return with_trackers(cfg.visualizer, cfg.tracker)['vis_backends']


@pytest.mark.parametrize(
    ('visualizer', 'tracker', 'message'),
    [
        ({}, 'tensorbord', 'expected one of tensorboard, wandb, mlflow'),
        ({}, dict(project='a'), 'tracker=None: expected one of'),
        (None, 'wandb', 'tracker needs visualizer=dict'),
    ],
)
def test_wrong_trackers(visualizer, tracker, message):
    with pytest.raises(InputError, match=message):
        with_trackers(visualizer, tracker)


def test_a_tracker_that_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr('sys.path', [str(tmp_path)])
    monkeypatch.delitem(sys.modules, 'mlflow', raising=False)
    with pytest.raises(InputError, match='mlflow is not installed'):
        with_trackers({}, 'mlflow')
