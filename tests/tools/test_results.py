"""What make results runs; it was run in full for docs/results.md."""

from pathlib import Path

import pytest
from mmengine.config import Config

from bm_plugins import cli
from bm_plugins.experiments.experiment import read_config

ROOT = Path(__file__).resolve().parents[2]
results = cli.load_tool('results')


@pytest.mark.slow
def test_every_run_sees_the_same_number_of_epochs_and_a_seed():
    for name, config in {**results.EXPERIMENTS, **results.IMAGENET}.items():
        epochs = 7 if name in results.EXPERIMENTS else None
        experiment = results.experiment(config, 3, epochs, 2)
        if config is None or config == 'linear_lite_bm':
            assert experiment.train is None
            assert experiment.test_options == ['randomness.seed=3']
            continue
        cfg = read_config(ROOT / experiment.train, experiment.options)
        assert cfg.randomness.seed == 3, name
        own = Config.fromfile(ROOT / experiment.train).train_cfg.max_epochs
        assert cfg.train_cfg.max_epochs == (epochs or own)
        assert 'end' not in cfg.param_scheduler[-1]  # follows
        assert cfg.train_dataloader.dataset.split == ('train', 'val')
        test = Config.fromfile(ROOT / experiment.test)
        assert test.test_dataloader.dataset.split == 'test'


def test_each_run_has_its_folder(tmp_path):
    names = [*results.EXPERIMENTS, *results.IMAGENET, results.CLASSIC]
    folders = {
        results.run_folder(tmp_path, name, seed)
        for name in names
        for seed in range(3)
    }
    assert len(folders) == 3 * len(names)
    assert all(folder.name.replace('_', '').isalnum() for folder in folders)


def test_missing_data_is_one_line(tool, tmp_path):
    args = ('--data', tmp_path / 'none', '--work-dir', tmp_path / 'out')
    status, _, error = tool('results', *args, '--gpus', '1')
    assert status == 2 and error.startswith('error: ')
    assert len(error.splitlines()) == 1 and 'is no folder' in error
