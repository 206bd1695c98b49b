"""Every bad input ends in one line that says what to do."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from bm_plugins import cli
from bm_plugins.errors import InputError
from bm_plugins.utils.run_manifest import command_line

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
    assert IMAGE in said and "'XYZ'" in said and 'class_set' in said


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
        ('test', [*TEST[1:], 'x.pth', '--interval', '0'], '--interval 0'),
    ],
)
def test_flags_that_cannot_work(
    name, args, expected, copy, message, monkeypatch
):
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('RANK', raising=False)
    assert expected in message(name, *args)


def test_modules_of_ones_own_that_are_not_there(
    message, tmp_path, monkeypatch
):
    file = tmp_path / 'own.py'
    file.write_text(
        f"_base_ = '{os.path.abspath(TRAIN[1])}'\n"
        "custom_imports = dict(imports=['mine.none'])\n"
    )
    said = message('train', file)
    assert 'own.py' in said and 'mine' in said and 'PYTHONPATH' in said
    monkeypatch.setenv('BM_IMPORTS', 'bm_plugins.errors mine.none')
    said = message('compare', 'a')
    assert said.startswith('error: BM_IMPORTS: mine.none cannot be imported')
    assert 'PYTHONPATH' in said


def test_message_of_a_data_loader_worker_loses_its_traceback(capsys):
    def main():
        raise InputError('Caught InputError in worker.\nx.InputError: said')

    with pytest.raises(SystemExit) as end:
        cli.run(main)
    assert end.value.code == 2
    assert capsys.readouterr().err == 'error: said\n'


def configured(name, *args):
    """The config that a run would have."""
    tool = cli.load_tool(name)
    return tool.configured(tool.parse([*map(str, args)]))


@pytest.mark.parametrize(
    'flag',
    [
        ['--resume'],
        ['--resume', 'auto'],
        ['--resume=auto'],
        ['--resu'],
        ['--resume', '--cfg-options', 'load_from=other.pth'],
    ],
)
def test_ways_to_ask_for_a_resume(tmp_path, capsys, flag):
    given = (*TRAIN, '--work-dir', tmp_path, *flag)
    cfg = configured(*given)  # nothing is there yet
    first = 'other.pth' if 'load_from' in flag[-1] else None
    assert not cfg.resume and cfg.load_from == first
    assert f'Nothing to resume in {tmp_path}: st' in capsys.readouterr().out
    (tmp_path / 'last_checkpoint').write_text('there.pth')
    cfg = configured(*given)
    assert cfg.resume and cfg.load_from == 'there.pth'


def test_a_resume_of_a_folder_among_the_options(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('there.pth')
    options = ('--cfg-options', f'work_dir={tmp_path}')
    cfg = configured(*TRAIN, '--work-dir', 'elsewhere', '--resume', *options)
    assert cfg.work_dir == str(tmp_path) and cfg.load_from == 'there.pth'


@pytest.mark.parametrize('flag', [['--resume=own.pth'], ['--resume', 'own.p']])
def test_a_resume_from_a_file(flag):
    cfg = configured(*TRAIN, *flag)
    assert cfg.resume and cfg.load_from == flag[-1].removeprefix('--resume=')


OPTIONS = ('train_cfg.max_epochs=3', 'randomness.seed=5')
SUPERVISED = 'configs/resnet_tiny_val_bm.py'


@pytest.mark.parametrize(
    'args',
    [
        (TRAIN[1], '--cfg-options', *OPTIONS),
        ('--cfg-options', *OPTIONS, '--work-dir', 'here', TRAIN[1]),
        ('--cfg-options', *OPTIONS, TRAIN[1]),
        (
            '--cfg-options',
            OPTIONS[0],
            '--cfg-o',
            OPTIONS[1],
            '--amp',
            TRAIN[1],
        ),
        ('--resume', 'a.pth', TRAIN[1], '--cfg-options', *OPTIONS),
    ],
)
def test_the_config_may_stand_anywhere(args):
    args = cli.load_tool('train').parse(args)
    assert args.config == TRAIN[1] and args.cfg_options == [*OPTIONS]


@pytest.mark.parametrize(
    'args',
    [
        (TEST[1], TRAIN[1], '--out', 'a.pkl', '--cfg-options', 'a=1'),
        (TEST[1], '--out', 'a.pkl', TRAIN[1], '--cfg-options', 'a=1'),
        ('--out', 'a.pkl', TEST[1], '--cfg-options', 'a=1', TRAIN[1]),
        ('--cfg-options', 'a=1', TEST[1], TRAIN[1], '--out=a.pkl'),
    ],
)
def test_config_and_checkpoint_keep_their_order(args):
    args = cli.load_tool('test').parse(args)
    assert (args.config, args.checkpoint) == (TEST[1], TRAIN[1])
    assert (args.out, args.cfg_options) == ('a.pkl', ['a=1'])


@pytest.mark.parametrize(
    ('name', 'args', 'said'),
    [
        ('train', ('--resume', TRAIN[1]), 'before --resume'),
        ('train', (), 'no CONFIG'),
        ('train', (*TRAIN[1:], 'x'), 'unrecognized arguments: x'),
        ('train', (*TRAIN[1:], '--cfg-options', TEST[1]), 'unrecognized'),
        ('train', (*TRAIN[1:], '--no-such'), 'unrecognized arguments'),
        ('train', (*TRAIN[1:], '--launcher', 'x'), 'invalid choice'),
        ('test', (*TEST[1:], 'x.pth', '--resume'), 'unrecognized arguments'),
        ('test', (*TEST[1:], 'x.pth', '--out-item', 'x'), 'invalid choice'),
    ],
)
def test_arguments_that_cannot_be(name, args, said, capsys):
    with pytest.raises(SystemExit, match='2'):
        cli.load_tool(name).parse(args)
    assert said in capsys.readouterr().err


def test_flags_of_a_training(monkeypatch):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    cfg = configured('train', SUPERVISED)
    assert cfg.work_dir == 'work_dirs/resnet_tiny_val_bm'
    assert cfg.launcher == 'none' and not cfg.auto_scale_lr.get('enable')
    loader = cfg.val_dataloader
    assert loader.pin_memory and loader.persistent_workers
    assert loader.collate_fn == dict(type='default_collate')
    assert os.environ['LOCAL_RANK'] == '0'
    monkeypatch.delenv('LOCAL_RANK')
    flags = ('--no-validate', '--no-pin-memory', '--no-persistent-workers')
    flags += ('--auto-scale-lr', '--local-rank', '3', '--launcher', 'slurm')
    flags += ('--amp', '--cfg-options', 'optim_wrapper.dtype=bfloat16')
    cfg = configured('train', SUPERVISED, '--work-dir', 'here', *flags)
    for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
        assert cfg[key] is None
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        assert not loader.pin_memory and not loader.persistent_workers
    assert cfg.auto_scale_lr.enable and cfg.work_dir == 'here'
    assert cfg.launcher == 'slurm' and os.environ['LOCAL_RANK'] == '3'
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'
    assert cfg.optim_wrapper.dtype == 'bfloat16'


def test_options_count_more_than_flags():
    options = ('work_dir=there', 'train_dataloader.pin_memory=True')
    flags = ('--work-dir', 'here', '--no-pin-memory', '--cfg-options')
    cfg = configured('train', SUPERVISED, *flags, *options)
    assert cfg.work_dir == 'there' and cfg.train_dataloader.pin_memory
    assert not cfg.val_dataloader.pin_memory


def test_flags_of_a_test():
    flags = ('--show-dir', 'shown', '--interval', '4', '--wait-time', '0.5')
    options = ('--cfg-options', 'model.head.num_classes=3')
    cfg = configured('test', SUPERVISED, 'a.pth', '--tta', *flags, *options)
    assert cfg.load_from == 'a.pth'
    hook = cfg.default_hooks.visualization
    assert hook == dict(
        type='VisualizationHook',
        enable=True,
        show=False,
        wait_time=0.5,
        out_dir='shown',
        interval=4,
    )
    assert cfg.model.type == 'mmpretrain.AverageClsScoreTTA'
    assert cfg.model.module.head.num_classes == 3
    *_, views = cfg.test_dataloader.dataset.pipeline
    mirrored, (pack,) = views.transforms
    assert [step.prob for step in mirrored] == [1, 0]
    assert pack.type == 'PackInputs'


def test_views_of_the_configs_own(tmp_path):
    file = tmp_path / 'own.py'
    file.write_text(
        f"_base_ = '{os.path.abspath(SUPERVISED)}'\n"
        "tta_model = dict(type='Own')\n"
        "tta_pipeline = [dict(type='LoadCellImage')]\n"
    )
    cfg = configured('test', file, 'a.pth', '--tta')
    assert cfg.model.type == 'Own' and cfg.model.module.head.num_classes == 21
    steps = cfg.test_dataloader.dataset.pipeline
    assert [step.type for step in steps] == ['LoadCellImage']


@pytest.fixture
def bm(capsys, monkeypatch):
    """Run the command bm: status, stdout, stderr."""
    monkeypatch.setattr(sys, 'argv', ['bm'])

    def run(*args):
        status = 0
        try:
            cli.main(args)
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize('args', [(), ('--help',), ('-h',)])
def test_bm_lists_the_commands(bm, args):
    status, said, _ = bm(*args)
    assert status == 0
    lines = [line.split() for line in said.splitlines() if line[:2] == '  ']
    scripts = {file.stem for file in Path('tools').glob('*.py')}
    assert [name for name, *_ in lines] == sorted(scripts | {'doctor'})
    assert all(len(words) >= 4 for words in lines)


@pytest.mark.parametrize(
    'name', ['make-synthetic-marrow', 'make_synthetic_marrow']
)
def test_bm_runs_a_tool(bm, tmp_path, name):
    status, said, _ = bm(name, '--contact-sheet', str(tmp_path / 'a.png'))
    assert status == 0 and said == f'Wrote {tmp_path}/a.png\n'
    assert (tmp_path / 'a.png').is_file()
    assert command_line().startswith('bm make_synthetic_marrow --contact-')
    _, said, _ = bm(name, '--help')
    assert said.startswith('usage: bm make_synthetic_marrow ')


@pytest.mark.parametrize(
    ('name', 'said'),
    [
        ('trian', 'error: bm has no command trian; did you mean train?\n'),
        ('doctr', 'error: bm has no command doctr; did you mean doctor?\n'),
        ('xyzzy', 'error: bm has no command xyzzy; see bm --help.\n'),
    ],
)
def test_bm_knows_the_nearest_command(bm, name, said):
    assert bm(name) == (2, '', said)


def test_bm_doctor(bm, tmp_path):
    status, said, _ = bm('doctor', '--data', str(tmp_path))
    assert status == 1 and f'{tmp_path}' in said


@pytest.mark.parametrize('name', ['train', 'test'])
def test_a_slip_among_the_options(message, name):
    config = dict(train=TRAIN, test=TEST)[name][1]
    for option, near in (
        ('chanels_last=True', 'channels_last'),
        ('custom_hok=1', 'custom_hooks'),
        (f'{name}_dataloader.batchsize=1', 'batch_size'),
    ):
        options = ['--cfg-options', 'load_from=None', option]
        assert f'did you mean {near}?' in message(name, config, *options)
