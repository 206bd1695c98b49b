"""Every bad input ends in one line that says what to do."""

import shutil

import pytest
import torch

from bm_plugins import cli
from bm_plugins.errors import InputError

TRAIN = ('train', 'configs/swav_tiny_bm.py')
TEST = ('test', 'configs/linear_tiny_bm.py')
UNTRAINED = ('--cfg-options', 'load_from=None')
IMAGE = 'BLA/BLA_00003.jpg'


@pytest.fixture
def copy(cells, tmp_path, monkeypatch):
    """A copy of the cells that a test may spoil."""
    shutil.copytree(cells, tmp_path / 'cells')
    monkeypatch.setenv('BM_DATA_ROOT', str(tmp_path / 'cells'))
    return tmp_path / 'cells'


@pytest.fixture
def message(tmp_path, tool):
    """Run a tool; it must end by one line, which is returned."""

    def run(name, *args):
        config, *rest = args
        work_dir = ('--work-dir', tmp_path / 'work')
        status, _, errors = tool(name, config, *work_dir, *rest)
        assert status == 2, errors
        lines = [
            line
            for line in errors.splitlines()
            if not line.startswith('[W')  # torch's own, of a killed worker
        ]
        assert len(lines) == 1 and lines[0].startswith('error: '), errors
        return lines[0]

    return run


def edit_manifest(root, old, new):
    file = root / 'split.csv'
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize('args', [TRAIN, TEST + UNTRAINED])
def test_misspelt_data_root(args, message, monkeypatch):
    monkeypatch.setenv('BM_DATA_ROOT', 'no/such/place')
    said = message(*args)
    assert 'no/such/place' in said and 'BM_DATA_ROOT' in said


def test_value_that_no_config_can_hold(message, monkeypatch):
    monkeypatch.setenv('BM_DATA_ROOT', "O'Brien")
    said = message(*TRAIN)
    assert "BM_DATA_ROOT=O'Brien" in said and 'quote' in said


def test_empty_variable_is_an_unset_one(message, monkeypatch):
    monkeypatch.setenv('BM_DATA_ROOT', '')
    monkeypatch.setenv('BM_FOLD', '')
    assert 'data/matek' in message(*TRAIN)


def test_data_root_left_out(message, monkeypatch):
    monkeypatch.delenv('BM_DATA_ROOT', raising=False)
    said = message(*TRAIN)
    assert 'data/matek' in said and 'BM_DATA_ROOT' in said


def test_no_manifest(copy, message):
    (copy / 'split.csv').unlink()
    said = message(*TRAIN)
    assert 'split.csv' in said and 'prepare_matek.py' in said


@pytest.mark.slow
def test_manifest_names_a_missing_file(copy, message):
    edit_manifest(copy, IMAGE, 'BLA/BLA_99999.jpg')
    for tool in (TRAIN, TEST + UNTRAINED):
        said = message(*tool)
        assert 'split.csv' in said and 'BLA_99999.jpg' in said


def test_unknown_code(copy, message):
    edit_manifest(copy, f'{IMAGE},BLA', f'{IMAGE},XYZ')
    said = message(*TEST, *UNTRAINED)
    assert IMAGE in said and "'XYZ'" in said and 'metainfo' in said


@pytest.mark.slow
def test_label_against_the_folder(copy, message):
    edit_manifest(copy, f'{IMAGE},BLA', f'{IMAGE},LYT')
    said = message(*TEST, *UNTRAINED)
    assert IMAGE in said and 'labelled LYT' in said and 'says BLA' in said


@pytest.mark.slow
def test_prefix_against_the_folder(copy, message):
    folder = copy / 'BM_cytomorphology_data' / 'BLA'
    (folder / 'BLA_00003.jpg').rename(folder / 'LYT_00003.jpg')
    edit_manifest(copy, IMAGE, 'BLA/LYT_00003.jpg')
    said = message(*TEST, *UNTRAINED)
    assert 'BLA/LYT_00003.jpg' in said


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 1])
def test_unreadable_image(copy, message, workers):
    for file in (copy / 'BM_cytomorphology_data').glob('LYT/*.jpg'):
        file.write_bytes(b'not a picture')
    loader = f'num_workers={workers}'
    said = message(
        *TRAIN,
        '--cfg-options',
        f'train_dataloader.{loader}',
        'train_dataloader.batch_size=8',
    )
    assert 'LYT/LYT_000' in said
    said = message(
        *TEST,
        *UNTRAINED,
        f'test_cfg.train_dataloader.{loader}',
    )
    assert 'LYT/LYT_000' in said


def test_batch_larger_than_the_data(copy, message):
    said = message(*TRAIN, '--cfg-options', 'train_dataloader.batch_size=1000')
    assert 'train_dataloader.batch_size' in said


def test_unknown_fold(copy, message, monkeypatch):
    monkeypatch.setenv('BM_FOLD', '7')
    assert 'no fold 7' in message(*TRAIN)
    monkeypatch.setenv('BM_FOLD', 'first')
    assert 'BM_FOLD' in message(*TRAIN)


@pytest.mark.slow
@pytest.mark.parametrize(
    'state,expected',
    [
        ({'head.fc.weight': torch.zeros(21, 128)}, 'no backbone'),
        ({'backbone.conv1.weight': torch.zeros(1)}, 'backbone'),
        (None, 'not'),
    ],
)
def test_checkpoint_that_does_not_fit(
    state, expected, copy, message, tmp_path
):
    file = tmp_path / 'given.pth'
    if state is None:
        file.write_bytes(b'no checkpoint')
    else:
        torch.save(dict(state_dict=state), file)
    said = message(*TEST, file)
    assert 'given.pth' in said and expected in said


@pytest.mark.slow
def test_checkpoint_of_another_number_of_classes(copy, message, tmp_path):
    from mmengine.config import Config
    from mmpretrain.registry import MODELS

    model = Config.fromfile(TEST[1]).model
    model.head.num_classes = 5
    model.head.topk = 1
    file = tmp_path / 'five.pth'
    torch.save(dict(state_dict=MODELS.build(model).state_dict()), file)
    said = message(*TEST, file)
    assert 'five.pth' in said and '5 classes' in said and '21' in said


@pytest.mark.slow
@pytest.mark.parametrize(
    'name,args,expected',
    [
        ('train', ['configs/no.py'], 'configs/no.py'),
        ('train', [TEST[1]], 'tools/test.py'),
        ('train', [*TRAIN[1:], '--cfg-options', 'foo'], 'key=value'),
        ('train', [*TRAIN[1:], '--work-dir', '/proc/x'], 'folder /proc/x'),
        ('train', [*TRAIN[1:], '--amp'], '--amp needs a GPU'),
        ('train', [*TRAIN[1:], '--amp'], 'optim_wrapper.dtype=bfloat16'),
        ('train', [*TRAIN[1:], '--launcher', 'mpi'], 'dist_train.sh'),
        ('train', [*TRAIN[1:], '--launcher', 'pytorch'], 'RANK'),
        ('train', [*TRAIN[1:], '--resume', 'no.pth'], 'no.pth'),
        ('test', [*TEST[1:]], 'load_from=None'),
        ('test', [*TEST[1:], 'no.pth'], 'no.pth'),
        ('test', [TRAIN[1], 'x.pth'], 'configs/linear_bm.py'),
        ('test', [*TEST[1:], 'x.pth', '--out-item', 'pred'], '--out FILE'),
        ('test', [*TEST[1:], 'x.pth', '--amp'], '--amp needs a GPU'),
        ('test', [*TEST[1:], 'x.pth', '--show'], '--show-dir'),
        ('test', [*TEST[1:], 'x.pth', '--out', 'a.txt'], '.pkl'),
    ],
)
def test_flags_that_cannot_work(
    name, args, expected, copy, message, monkeypatch
):
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('RANK', raising=False)
    assert expected in message(name, *args)


def test_message_of_a_data_loader_worker_loses_its_traceback(capsys):
    def main():
        raise InputError('Caught InputError in worker.\nx.InputError: said')

    with pytest.raises(SystemExit) as end:
        cli.run(main)
    assert end.value.code == 2
    assert capsys.readouterr().err == 'error: said\n'


@pytest.mark.parametrize(
    'flag', [['--resume'], ['--resume', 'auto'], ['--resume=auto'], ['--resu']]
)
def test_ways_to_ask_for_a_resume(tmp_path, flag):
    given = [*TRAIN[1:], '--work-dir', str(tmp_path), *flag]
    assert cli._check('train', given) == given[:3]  # nothing is there yet
    (tmp_path / 'last_checkpoint').write_text('there.pth')
    for more in ([], ['--cfg-options', 'randomness.seed=1']):
        args = cli._check('train', [*given, *more])
        assert args == [*given[:3], '--resume', 'there.pth', *more]


def test_a_resume_of_a_folder_among_the_options(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('there.pth')
    options = ['--cfg-options', f'work_dir={tmp_path}']
    given = [*TRAIN[1:], '--work-dir', 'elsewhere', '--resume', *options]
    expected = [*given[:-2], 'there.pth', *options]
    assert cli._check('train', given) == expected


def test_a_resume_from_a_file(tmp_path):
    given = [*TRAIN[1:], '--resume=own.pth']
    assert cli._check('train', given) == [*TRAIN[1:], '--resume', 'own.pth']


@pytest.mark.parametrize('name', ['train', 'test'])
def test_a_slip_among_the_options(message, name):
    config = dict(train=TRAIN, test=TEST)[name][1]
    options = ['--cfg-options', 'load_from=None', 'chanels_last=True']
    said = message(name, config, *options)
    assert 'did you mean channels_last?' in said
