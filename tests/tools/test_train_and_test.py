"""tools/train.py and tools/test.py with their flags, on one process."""

import csv
import json
import pickle

import pytest

from bm_plugins.compat.safe_loading import load
from bm_plugins.datasets.matek_classes import CLASSES
from tests.engine.resumable_runs import assert_equal

SMALL = [
    'train_dataloader.batch_size=8',
    'train_dataloader.num_workers=0',
]
TEST = 'configs/linear_tiny_bm.py'


@pytest.fixture
def run(tool, cells, monkeypatch):
    """Run a tool on the cells; it must succeed."""
    monkeypatch.setenv('BM_DATA_ROOT', str(cells))

    def checked(*args):
        status, out, errors = tool(*args)
        assert status == 0, errors
        return out + errors

    return checked


@pytest.fixture
def untrained(run, tmp_path):
    """Evaluate the untrained features, with further flags."""

    def evaluate(*flags):
        folder = tmp_path / 'linear'
        options = ['--cfg-options', 'load_from=None']
        return run('test', TEST, '--work-dir', folder, *flags, *options)

    return evaluate


@pytest.mark.slow
def test_pretraining_and_linear_evaluation(run, tmp_path):
    train = ['train', 'configs/swav_tiny_bm.py', '--work-dir', tmp_path]
    flags = ['--no-validate', '--no-pin-memory', '--no-persistent-workers']
    options = ['--cfg-options', *SMALL, 'train_cfg.max_epochs=1']
    run(*train, *flags, '--auto-scale-lr', *options)
    checkpoint = tmp_path / 'epoch_1.pth'
    assert checkpoint.is_file()
    options[-1] = 'train_cfg.max_epochs=2'
    out = run(*train, '--resume', *options)
    assert 'Epoch(train) [2]' in out and 'Epoch(train) [1]' not in out
    out = run('test', TEST, '--work-dir', tmp_path / 'linear', checkpoint)
    assert 'macro_f1' in out
    with open(tmp_path / 'linear/per_class.csv') as file:
        rows = list(csv.DictReader(file))
    assert ','.join(rows[0]) == 'code,name,support,precision,recall,f1'
    assert len(rows) == 21
    assert sum(int(row['support']) for row in rows) == 13
    assert (tmp_path / 'linear/linear_probe.pth').is_file()


@pytest.mark.slow
def test_screen_is_quiet(untrained):
    out = untrained()
    assert 'Config:' not in out and 'Warning' not in out
    assert len(out.splitlines()) < 60


@pytest.mark.slow
def test_out_metrics(untrained, tmp_path):
    file = tmp_path / 'metrics.json'
    untrained('--out', file, '--out-item', 'metrics')
    metrics = json.loads(file.read_text())
    assert 0 <= metrics['per_class/macro_f1'] <= 1


@pytest.mark.slow
def test_out_predictions(untrained, tmp_path, cells):
    file = tmp_path / 'pred.pkl'
    untrained('--out', file)
    samples = pickle.loads(file.read_bytes())
    assert len(samples) == 13
    assert {sample['pred_score'].numel() for sample in samples} == {21}


@pytest.mark.slow
def test_show_dir(untrained, tmp_path):
    untrained('--show-dir', tmp_path / 'shown', '--interval', '4')
    assert len(list((tmp_path / 'shown').glob('*'))) >= 3


@pytest.mark.slow
def test_tta(untrained):
    assert 'macro_f1' in untrained('--tta')


@pytest.mark.slow
def test_another_class_set(run, tmp_path):
    """A lab's own classes take two options."""
    classes = 'metainfo.classes=ABE,BLA,LYT'
    out = run(
        'test',
        TEST,
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'load_from=None',
        'model.head.num_classes=3',
        f'test_dataloader.dataset.{classes}',
        f'test_cfg.train_dataloader.dataset.{classes}',
    )
    assert 'macro_f1' in out and 'NGS' not in out


@pytest.mark.slow
def test_classic_linear_evaluation_changes_the_classifier_alone(run, tmp_path):
    """``--resume`` starts from ``load_from`` first, then from its own."""
    pretrain = ['train', 'configs/swav_tiny_bm.py', '--work-dir', tmp_path]
    run(*pretrain, '--cfg-options', *SMALL, 'train_cfg.max_epochs=1')
    config, folder = 'configs/linear_sgd_tiny_bm.py', tmp_path / 'linear'
    pretrained = tmp_path / 'epoch_1.pth'
    command = ['train', config, '--work-dir', folder, '--resume']
    options = ['--cfg-options', *SMALL, f'load_from={pretrained}']
    one = run(*command, *options, 'train_cfg.max_epochs=1')
    assert 'Nothing to resume' in one and 'Loaded the backbone' in one
    two = run(*command, *options, 'train_cfg.max_epochs=2')
    assert 'Loaded all weights' in two and 'Epoch(train) [1]' not in two
    before, after = load(pretrained), load(folder / 'epoch_2.pth')
    for key, value in before['state_dict'].items():
        if key.startswith('backbone.'):
            assert_equal(after['state_dict'][key], value)
    assert after['state_dict']['head.fc.weight'].abs().max() > 0.01
    out = run('test', config, folder / 'epoch_2.pth', '--work-dir', folder)
    assert 'macro_f1' in out


@pytest.mark.slow
def test_checkpoint_of_other_classes_and_an_empty_part(
    run, tool, tmp_path, cells
):
    config = 'configs/resnet_tiny_bm.py'
    options = [*SMALL, 'train_cfg.max_epochs=1']
    run('train', config, '--work-dir', tmp_path, '--cfg-options', *options)
    checkpoint = tmp_path / 'epoch_1.pth'

    def refused(*options):
        args = [config, checkpoint, '--work-dir', tmp_path / 'test']
        status, _, error = tool('test', *args, '--cfg-options', *options)
        assert status == 2 and len(error.splitlines()) == 1, error
        assert error.startswith('error: ')
        return error

    # The same number of classes in another order: only the codes tell.
    codes = ','.join(repr(code) for code in reversed(CLASSES))
    metainfo = f'test_dataloader.dataset.metainfo.classes=({codes})'
    error = refused(metainfo)
    assert f'checkpoint {checkpoint} classifies ABE ART' in error
    assert 'the data set has PMO PLM' in error
    error = refused('model.head.num_classes=3')
    assert 'a classifier of 21 classes, the config one of 3' in error

    args = [config, '--work-dir', tmp_path / 'train', '--cfg-options']
    status, _, error = tool('train', *args, 'model.head.num_classes=5')
    assert status == 2 and len(error.splitlines()) == 1, error
    assert 'num_classes is 5, but the data set has 21 classes' in error

    manifest = tmp_path / 'no_val.csv'
    text = (cells / 'split.csv').read_text().replace(',val,', ',train,')
    manifest.write_text(text)
    part = 'test_dataloader.dataset.split=val'
    error = refused(part, f'test_dataloader.dataset.ann_file={manifest}')
    assert f'{manifest}: no image in part val' in error
