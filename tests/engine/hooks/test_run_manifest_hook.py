import hashlib
import json
from pathlib import Path

import pytest
from mmengine.hooks import Hook

from bm_plugins.engine import RunManifestHook
from tests.engine.probe_runner import build
from tests.engine.tiny_runs import steps, tiny_run


def digest(data):
    return hashlib.sha256(data).hexdigest()


def test_a_training_leaves_its_manifest(cells, tmp_path):
    runner = tiny_run('swav_tiny_bm', cells, tmp_path, **steps(2))
    runner.train()
    found = json.loads((tmp_path / 'run_train.json').read_text())
    [own] = tmp_path.glob('*/run.json')
    assert json.loads(own.read_text()) == found
    assert found['job'] == 'train'
    assert found['config']['name'] == 'swav_tiny_bm.py'
    text = found['config']['text']
    assert 'SwAV' in text
    assert found['config']['sha256'] == digest(text.encode())
    # What mmengine keeps beside it says the same.
    assert (tmp_path / 'swav_tiny_bm.py').read_text().strip() == text.strip()
    data = found['data']['train']
    assert data['manifest'] == f'{cells.name}/split.csv'
    assert data['sha256'] == digest((cells / 'split.csv').read_bytes())
    assert data['images'] == 12  # two steps of six
    assert data['split'] == ['train', 'val']
    assert found['seeds'] == dict(seed=0, deterministic=False)
    assert found['checkpoint'] is None
    assert found['started'] <= found['ended']


def test_counts_by_class_of_a_labelled_part(cells, tmp_path):
    runner = tiny_run(
        'resnet_tiny_bm', cells, tmp_path, **steps(1, 'resnet_tiny_bm')
    )
    runner.train()
    found = json.loads((tmp_path / 'run_train.json').read_text())
    rows = (cells / 'split.csv').read_text().splitlines()[1:]
    wanted = {}
    for _path, label, split, _ in (row.split(',') for row in rows):
        if split in found['data']['train']['split']:
            wanted[label] = wanted.get(label, 0) + 1
    assert found['data']['train']['images_by_class'] == wanted


@pytest.mark.slow
def test_a_resumed_run_says_from_what(cells, tmp_path):
    hook = dict(type='SafeCheckpointHook')
    options = {**steps(2), 'default_hooks.checkpoint': hook}
    tiny_run('swav_tiny_bm', cells, tmp_path, **options).train()
    options['train_cfg.max_epochs'] = 2
    tiny_run('swav_tiny_bm', cells, tmp_path, resume=True, **options).train()
    found = json.loads((tmp_path / 'run_train.json').read_text())
    data = (tmp_path / 'epoch_1.pth').read_bytes()
    assert found['checkpoint']['sha256'] == digest(data)
    assert found['checkpoint']['file'].endswith('epoch_1.pth')


class PowerCut(Hook):
    def after_train_iter(self, runner, batch_idx, **_):
        raise KeyboardInterrupt


def test_a_run_that_is_cut_off_has_no_end(cells, tmp_path):
    runner = tiny_run('swav_tiny_bm', cells, tmp_path, **steps(2))
    runner.register_hook(PowerCut())
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    found = json.loads((tmp_path / 'run_train.json').read_text())
    assert found['ended'] is None and found['data']['train']['images'] == 12


class FolderIsLost(Hook):
    priority = 'VERY_HIGH'

    def after_train(self, runner):
        folder = Path(runner.log_dir)
        folder.rename(f'{folder}.moved')
        folder.touch()

    after_test = after_train


def test_a_manifest_that_cannot_end_fails_no_training(cells, tmp_path, capfd):
    runner = tiny_run('swav_tiny_bm', cells, tmp_path, **steps(1))
    runner.register_hook(FolderIsLost())
    runner.train()
    found = json.loads((tmp_path / 'run_train.json').read_text())
    assert found['ended'] is None
    assert f'{runner.log_dir} cannot be made' in capfd.readouterr().out


@pytest.mark.slow
def test_a_test_names_what_was_fitted_and_the_checkpoint(
    tool, cells, tmp_path, monkeypatch
):
    monkeypatch.setenv('BM_DATA_ROOT', str(cells))
    runner = tiny_run('swav_tiny_bm', cells, tmp_path / 'swav', **steps(1))
    runner.train()
    runner.save_checkpoint(str(tmp_path), 'last.pth', by_epoch=True)
    config = 'configs/linear_tiny_bm.py'
    folder = tmp_path / 'linear'
    status, _, errors = tool(
        'test', config, tmp_path / 'last.pth', '--work-dir', folder
    )
    assert status == 0, errors
    found = json.loads((folder / 'run_test.json').read_text())
    assert found['command'].startswith(f'tools/test.py {config}')
    assert found['data']['test']['images'] == 13
    assert found['data']['fitted on']['images'] == 49
    assert found['data']['test']['split'] == ['test']
    weights = (tmp_path / 'last.pth').read_bytes()
    assert found['checkpoint']['sha256'] == digest(weights)
    assert found['ended']


def test_nor_does_it_fail_a_test(cells, tmp_path, capfd):
    runner = build(cells, tmp_path)
    runner.register_hook(RunManifestHook())
    runner.register_hook(FolderIsLost())
    assert runner.test()
    found = json.loads((tmp_path / 'run_test.json').read_text())
    assert found['ended'] is None
    assert f'{runner.log_dir} cannot be made' in capfd.readouterr().out
