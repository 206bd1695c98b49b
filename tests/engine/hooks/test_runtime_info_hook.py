import json

import pytest
import torch
from mmengine.hooks import Hook

from bm_plugins.compat.safe_loading import load
from tests.engine.device_waits import DeviceWaits, WatchedLoop
from tests.engine.tiny_runs import steps, tiny_run

LOSS = 'train/loss'


def watched(name, cells, work_dir, **options):
    """Iterations with a wait: 7 steps, logged after the 3rd and the 6th."""
    runner = tiny_run(
        name,
        cells,
        work_dir,
        **steps(7, name),
        **{'default_hooks.logger.interval': 3},
        **options,
    )
    runner._train_loop = dict(type=WatchedLoop, max_epochs=1)
    runner.train()
    assert runner.iter == 7
    return runner.train_loop.waits


@pytest.mark.slow
@pytest.mark.parametrize(
    'name,options',
    [
        ('swav_tiny_bm', {'model.head.loss.queue_length': 16}),
        (
            'swav_tiny_bm',
            {'optim_wrapper.optimizer': dict(type='SyncFreeLARS', lr=0.6)},
        ),
        (
            'swav_tiny_bm',
            {
                'optim_wrapper.type': 'AmpOptimWrapper',
                'optim_wrapper.dtype': 'bfloat16',
            },
        ),
        ('supcon_tiny_bm', {}),
        ('resnet_tiny_bm', {}),
        ('resnet_tiny_mixup_bm', {}),
        ('resnet_tiny_weighted_bm', {}),
    ],
)
def test_the_host_waits_where_the_log_is_written(
    cells, tmp_path, name, options
):
    if name == 'swav_tiny_bm':
        options = {'model.head.loss.queue_start_epoch': 0} | options
    waits = watched(name, cells, tmp_path, **options)
    assert waits.iterations == [2, 5, 6], waits.seen


VIEWS = dict(type='SelfSupDataPreprocessor', to_rgb=True)
CELLS = dict(type='ClsDataPreprocessor', num_classes=21)
MIXUP = dict(augments=dict(type='Mixup', alpha=0.1))


@pytest.mark.slow
@pytest.mark.parametrize(
    'name,options,line',
    [
        (
            'swav_tiny_bm',
            {'default_hooks.runtime_info': dict(type='RuntimeInfoHook')},
            'value.item()',
        ),
        (
            'swav_tiny_bm',
            {'optim_wrapper.optimizer': dict(type='LARS', lr=0.6)},
            'torch.norm(p).item()',
        ),
        ('swav_tiny_bm', {'data_preprocessor': VIEWS}, '[2, 1, 0]'),
        ('resnet_tiny_bm', {'data_preprocessor': CELLS}, '.to(self.device)'),
        ('resnet_tiny_mixup_bm', {'model.train_cfg': MIXUP}, '[index, :]'),
    ],
)
def test_upstreams_own_wait_in_each_step(cells, tmp_path, name, options, line):
    waits = watched(name, cells, tmp_path, **options)
    waiting = [iteration for iteration, _, at in waits.seen if line in at]
    assert sorted({*waiting}) == [*range(7)]


def test_what_counts_as_a_wait():
    waits, device, host = DeviceWaits(), torch.ones(3), torch.ones(3)
    waits.put_on_device(device)
    with waits:
        host.sum().item()
        (host > 0).nonzero()
        host[host > 0].tolist()
        device.masked_fill(device > 0, 2.0)
        copied = host.to(torch.device('cpu'), non_blocking=True)
        assert not waits.seen
        (device + host).sum().item()
        host[device > 0]
        bool(copied.view(3)[0])
        copied.tolist()
        device.new_tensor([1.0])
        device.where(device > 0, 1.0)
        device[[1, 0]]
        device[torch.tensor([1, 0])]
        torch.ones(3).to(torch.device('cpu'))
    assert [name for _, name, _ in waits.seen] == [
        '_local_scalar_dense',
        'index',
        '_local_scalar_dense',
        'tolist',
        'new_tensor',
        'where',
        'index',
        'index',
        'to',
    ]


class Saves(Hook):
    """Save a checkpoint in the middle of an interval."""

    def after_train_iter(self, runner, batch_idx, **_):
        if batch_idx == 3:
            runner.save_checkpoint(runner.work_dir, 'cut.pth', by_epoch=False)


def logged(cells, work_dir, kind):
    """Losses of each step, the log's rows, and a checkpoint's history."""
    name = 'resnet_tiny_mixup_bm'
    runner = tiny_run(
        name,
        cells,
        work_dir,
        **steps(7, name),
        **{
            'train_cfg.max_epochs': 2,
            'default_hooks.logger.interval': 3,
            'default_hooks.runtime_info': dict(type=kind),
            'log_processor': dict(window_size=2),
        },
    )
    runner.register_hook(Saves(), 'LOWEST')
    runner.train()
    (file,) = work_dir.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    history = runner.message_hub.log_scalars[LOSS].data[0]
    cut = load(work_dir / 'cut.pth')['message_hub']['log_scalars'][LOSS]
    return (
        history.tolist(),
        [(row['iter'], row['loss']) for row in rows],
        cut.data[0].tolist(),
    )


@pytest.mark.slow
def test_log_and_checkpoints_hold_what_upstreams_do(cells, tmp_path):
    ours = logged(cells, tmp_path / 'ours', 'SyncFreeRuntimeInfoHook')
    theirs = logged(cells, tmp_path / 'theirs', 'RuntimeInfoHook')
    assert ours == theirs
    history, rows, cut = ours
    assert len(history) == 14 and cut == history[:11]
    # Means of two steps before each log.
    assert [step for step, _ in rows] == [3, 6, 10, 13]
    for step, loss in rows:
        mean = sum(history[step - 2 : step]) / 2
        assert loss == pytest.approx(mean, rel=1e-9)
