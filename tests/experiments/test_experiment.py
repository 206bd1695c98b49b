"""What an experiment does without training; tools/test_kfold.py trains."""

from pathlib import Path

import pytest

from bm_plugins.errors import InputError
from bm_plugins.experiments import experiment
from bm_plugins.experiments.experiment import (
    Experiment,
    chosen_checkpoint,
    last_step,
    linear_config,
    read_config,
    run_child,
)

ROOT = Path(__file__).resolve().parents[2]
TINY = 'configs/linear_tiny_bm.py'


@pytest.mark.parametrize(
    'config,test',
    [
        ('resnet_tiny_bm', 'resnet_tiny_bm'),
        ('swav_bm', 'linear_bm'),
        ('swav_mmselfsup_bm', 'linear_bm'),
        ('supcon_bm', 'linear_bm'),
        ('swav_tiny_bm', 'linear_tiny_bm'),
        ('supcon_tiny_bm', 'linear_tiny_bm'),
        ('swav_r18_bm', 'linear_r18_bm'),
        ('swav_lite_bm', 'linear_lite_bm'),
        ('supcon_lite_bm', 'linear_lite_bm'),
    ],
)
def test_what_tests_a_training(config, test):
    found = linear_config(ROOT, f'configs/{config}.py')
    assert found == f'configs/{test}.py'


def test_no_linear_evaluation_of_that_backbone(tmp_path, monkeypatch):
    config = tmp_path / 'swav_r34.py'
    config.write_text(
        f"_base_ = '{ROOT}/configs/swav_bm.py'\n"
        'model = dict(backbone=dict(depth=34), neck=dict(in_channels=512))\n'
    )
    with pytest.raises(InputError, match='by --linear'):
        linear_config(ROOT, str(config))
    # It is not for want of ImageNet weights.
    module = 'bm_plugins.models.backbones.timm_encoder'
    monkeypatch.setattr(f'{module}.find_spec', lambda _: None)
    with pytest.raises(InputError, match='by --linear'):
        linear_config(ROOT, str(config))


def test_options_and_missing_configs(monkeypatch):
    for name in ('BM_DATA_ROOT', 'BM_FOLD'):  # empty is unset
        monkeypatch.setenv(name, '')
    cfg = read_config(ROOT / TINY, ['model.head.num_classes=3'])
    assert cfg.model.head.num_classes == 3
    assert (cfg.data_root, cfg.fold) == ('data/matek', 'none')
    with pytest.raises(InputError, match='expected key=value'):
        read_config(ROOT / TINY, ['model.head.num_classes'])
    with pytest.raises(InputError, match='none.py does not exist'):
        read_config(ROOT / 'configs/none.py')


def test_the_best_checkpoint_else_the_last(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/moved/epoch_3.pth')
    assert chosen_checkpoint(tmp_path) == tmp_path / 'epoch_3.pth'
    best = tmp_path / 'best_per_class_macro_f1_epoch_2.pth'
    best.write_text('')
    assert chosen_checkpoint(tmp_path) == best


def test_a_folder_of_another_experiment(tmp_path):
    folder = tmp_path / 'run'
    (folder / 'test').mkdir(parents=True)
    (folder / 'test/predictions.csv').write_text('finished')
    first = Experiment(ROOT, None, TINY, 1, (), ['randomness.seed=0'])
    assert first.run(folder) == folder / 'test'
    assert first.run(folder) == folder / 'test'
    moved = Experiment(
        ROOT, None, str(ROOT / TINY), 1, (), ['randomness.seed=0']
    )
    assert moved.run(folder) == folder / 'test'
    other = Experiment(ROOT, None, TINY, 1, (), ['randomness.seed=1'])
    with pytest.raises(InputError, match='differs in test_options'):
        other.run(folder)


def test_a_manifest_that_was_written_anew(tmp_path, monkeypatch):
    monkeypatch.setenv('BM_DATA_ROOT', str(tmp_path))
    manifest = tmp_path / 'split.csv'
    manifest.write_text('path,label,split\nABE/ABE_00001.jpg,ABE,test\n')
    folder = tmp_path / 'run'
    (folder / 'test').mkdir(parents=True)
    (folder / 'test/predictions.csv').write_text('finished')
    Experiment(ROOT, None, TINY, 1).run(folder)
    manifest.write_text('path,label,split\nABE/ABE_00002.jpg,ABE,test\n')
    with pytest.raises(InputError, match='differs in manifest'):
        Experiment(ROOT, None, TINY, 1).run(folder)


@pytest.mark.slow
def test_a_step_that_fails_says_why(tmp_path, monkeypatch, python):
    monkeypatch.setattr('sys.executable', str(python))
    monkeypatch.setenv('BM_DATA_ROOT', str(tmp_path / 'none'))
    untrained = Experiment(ROOT, None, TINY, 1)
    with pytest.raises(InputError) as caught:
        untrained.run(tmp_path / 'run')
    message = str(caught.value)
    assert 'tools/dist_test.sh' in message and 'status' in message
    assert f'data_root {tmp_path}/none is no folder' in message
    log = tmp_path / 'run/test/output.log'
    assert str(log) in message and 'is no folder' in log.read_text()


@pytest.mark.slow
def test_says_where_the_output_goes_and_how_far_it_is(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(experiment, 'EVERY', 0.2)
    log = tmp_path / 'output.log'
    log.write_text('Epoch(train)  [9][9/9]\n')  # of the run before
    script = 'echo "INFO - Epoch(train)  [ 2][10/18]  lr: 1"; sleep 1; exit 3'
    command = ['sh', '-c', script]
    assert run_child(command, tmp_path, {}, log) == 3
    first, *between, last = capsys.readouterr().out.splitlines()
    assert first == f'  its output: {log}'
    assert 1 <= len(between) <= 5
    assert {x.lstrip(' 01s') for x in between} == {'Epoch(train) [ 2][10/18]'}
    assert last == '  ended after 1 s'


def test_the_last_step_of_a_log(tmp_path):
    log = tmp_path / 'output.log'
    log.write_text('warming up\n')
    assert last_step(log) == ''
    log.write_text(
        'Iter(train) [  10/1000]  lr: 1\nEpoch(test)  [3/7]    eta: 0:00:04\n'
    )
    assert last_step(log) == 'Epoch(test) [3/7]'
    with open(log, 'a') as stream:
        stream.write('mmengine - INFO - Fitting: 10 of 31 fits after 12 s\n')
    assert last_step(log) == 'Fitting: 10 of 31 fits'
    assert last_step(log, log.stat().st_size) == ''
