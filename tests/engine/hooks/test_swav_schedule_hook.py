from contextlib import contextmanager

import pytest
import torch
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper

from bm_plugins.engine import SwAVScheduleHook
from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError
from tests.engine.small_swav import small_model, small_swav


class Trace(Hook):
    """Prototypes and queue state after each step."""

    def __init__(self):
        self.prototypes, self.used, self.fill = [], [], []

    def after_train_iter(self, runner, **_):
        loss = runner.model.head.loss_module
        self.prototypes.append(loss.prototypes.weight.detach().clone())
        self.used.append(loss.use_queue)
        self.fill.append(loss._fill)


@pytest.fixture
def traced(cells, tmp_path):
    runner = small_swav(cells, tmp_path)
    trace = Trace()
    runner.register_hook(trace, 'LOWEST')
    start = []
    runner.register_hook(_Start(start))
    runner.train()
    return start[0], trace


class _Start(Hook):
    def __init__(self, start):
        self.start = start

    def before_train(self, runner):
        weight = runner.model.head.loss_module.prototypes.weight
        self.start.append(weight.detach().clone())


def test_prototypes_are_frozen_for_two_epochs_exactly(traced):
    start, trace = traced
    assert len(trace.prototypes) == 16
    for weight in trace.prototypes[:8]:
        torch.testing.assert_close(weight, start, rtol=0, atol=0)
    before = trace.prototypes[7]
    for weight in trace.prototypes[8:]:
        assert (weight - before).norm() > 1e-3
        before = weight


def test_queue_fills_from_its_epoch(traced):
    _, trace = traced
    assert trace.used == [False] * 4 + [True] * 12
    assert trace.fill == [0] * 4 + [9] + [18] * 11


def test_optimizer_state_of_frozen_prototypes_is_untouched(cells, tmp_path):
    runner = small_swav(
        cells, tmp_path, train_cfg=dict(by_epoch=True, max_epochs=2)
    )
    runner.train()
    weight = runner.model.head.loss_module.prototypes.weight
    state = runner.optim_wrapper.optimizer.state
    assert weight not in state and len(state) > 10


def test_a_stray_queue_is_never_picked_up(cells, tmp_path):
    """Upstream's hook loads such a file whenever it is there."""
    stray = torch.full((2, 18, 8), 5.0)
    for name in ('queue.pth', 'queue0.pth'):
        torch.save(dict(queue=stray), tmp_path / name)
    runner = small_swav(cells, tmp_path)
    trace = Trace()
    runner.register_hook(trace, 'LOWEST')
    runner.train()
    assert trace.fill[:5] == [0] * 4 + [9]
    assert runner.model.head.loss_module.queue.abs().max() <= 1


def test_another_queue_than_the_checkpoints_is_an_error(cells, tmp_path):
    small_swav(
        cells,
        tmp_path,
        default_hooks=dict(checkpoint=dict(type='SafeCheckpointHook')),
        train_cfg=dict(by_epoch=True, max_epochs=1),
    ).train()
    model = small_model()
    model['head']['loss']['queue_length'] = 27
    runner = small_swav(cells, tmp_path, model=model, resume=True)
    with pytest.raises(InputError, match='head.loss_module.queue'):
        runner.train()


def test_short_queue_is_found_at_the_start(cells, tmp_path):
    runner = small_swav(cells, tmp_path)
    runner._train_dataloader['batch_size'] = 19
    with pytest.raises(InputError, match='queue_length 18 .* batch of 19'):
        runner.train()


def train_21_steps(cells, folder):
    """Global batches of 12, queue and thaw on the way; norms by sample."""
    rank, world_size = get_dist_info()
    runner = small_swav(
        cells,
        folder / f'run_{world_size}_{rank}',
        norm='GN',
        launcher='pytorch' if world_size > 1 else 'none',
        train_cfg=dict(by_epoch=True, max_epochs=7),
        custom_hooks=[
            dict(
                type='SwAVScheduleHook',
                queue_start_epoch=2,
                freeze_prototypes_epochs=1,
            )
        ],
    )
    runner._train_dataloader['batch_size'] = 12 // world_size
    runner.train()
    model = unwrap(runner.model)
    assert runner.iter == 21 and model.head.loss_module._fill == 24
    torch.save(model.state_dict(), folder / f'{world_size}_{rank}.pth')


@pytest.mark.slow
@pytest.mark.parametrize('world_size', [2, 4])
def test_several_ranks_train_as_one(cells, tmp_path, run_ranks, world_size):
    run_ranks(train_21_steps, 1, cells, tmp_path)
    run_ranks(train_21_steps, world_size, cells, tmp_path)
    one = torch.load(tmp_path / '1_0.pth')
    for rank in range(world_size):
        several = torch.load(tmp_path / f'{world_size}_{rank}.pth')
        for key, value in one.items():
            torch.testing.assert_close(
                several[key], value, rtol=1e-4, atol=1e-5, msg=key
            )


class CPUAmpOptimWrapper(OptimWrapper):
    """mmengine's AmpOptimWrapper, which insists on a GPU, off it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scaler = torch.amp.GradScaler('cpu', init_scale=2.0**16)

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu'):
            yield

    def backward(self, loss, **kwargs):
        self.scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs):
        self.scaler.step(self.optimizer)
        self.scaler.update()


@pytest.mark.parametrize(
    'optimizer',
    [
        dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-2),
        dict(type='LARS', lr=0.6, momentum=0.9, weight_decay=1e-2),
        dict(type='SyncFreeLARS', lr=0.6, momentum=0.9, weight_decay=1e-2),
        dict(type='AdamW', lr=0.1, weight_decay=1e-2),
    ],
    ids=lambda optimizer: optimizer['type'],
)
def test_prototypes_are_frozen_exactly_under_amp(cells, tmp_path, optimizer):
    runner = small_swav(cells, tmp_path)
    built = runner.build_optim_wrapper(dict(optimizer=optimizer))
    runner.optim_wrapper = CPUAmpOptimWrapper(optimizer=built.optimizer)
    weight = runner.model.head.loss_module.prototypes.weight
    start = weight.detach().clone()
    backbone = runner.model.backbone.conv1.weight.detach().clone()
    trace = Trace()
    runner.register_hook(trace, 'LOWEST')
    runner.train()
    for frozen in trace.prototypes[:8]:
        torch.testing.assert_close(frozen, start, rtol=0, atol=0)
    assert (trace.prototypes[8] - start).norm() > 1e-3
    assert (runner.model.backbone.conv1.weight - backbone).norm() > 1e-3


def test_a_childs_own_hooks_take_nothing_away(cells, tmp_path):
    """The inherited list is replaced; the method's hooks are the loss's."""
    model = small_model()
    model['head']['loss'].update(
        queue_start_epoch=1, freeze_prototypes_epochs=1
    )
    runner = small_swav(
        cells,
        tmp_path,
        model=model,
        custom_hooks=[dict(type='EMAHook', momentum=0.1)],
    )
    kinds = [type(hook).__name__ for hook in runner.hooks]
    wanted = ['SwAVScheduleHook', 'SwAVMonitorHook', 'EMAHook']
    assert [kinds.count(kind) for kind in wanted] == [1, 1, 1]
    start = runner.model.head.loss_module.prototypes.weight.detach().clone()
    runner.train()
    loss = runner.model.head.loss_module
    assert int(loss.queue_fill) >= 18  # the queue's length: it is in use
    assert loss.use_queue and not loss.freeze_prototypes
    assert not torch.equal(loss.prototypes.weight, start)


def test_numbers_of_a_hook_count_before_those_of_the_loss(cells, tmp_path):
    runner = small_swav(cells, tmp_path)  # gives the hook, with 1 and 2
    (hook,) = (h for h in runner.hooks if isinstance(h, SwAVScheduleHook))
    runner.train()
    assert (hook.queue_start_epoch, hook.freeze_prototypes_epochs) == (1, 2)


def test_what_never_comes_is_warned_of(cells, tmp_path):
    hook = dict(
        type='SwAVScheduleHook',
        queue_start_epoch=9,
        freeze_prototypes_epochs=4,
    )
    small_swav(cells, tmp_path, custom_hooks=[hook]).train()
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'queue_start_epoch 9' in log and 'max_epochs 4' in log
    assert 'freeze_prototypes_epochs 4' in log


def test_a_hook_of_ones_own_stands_for_that_of_the_loss(cells, tmp_path):
    class Own(SwAVScheduleHook):
        pass

    runner = small_swav(cells, tmp_path, custom_hooks=[Own()])
    hooks = [h for h in runner.hooks if isinstance(h, SwAVScheduleHook)]
    assert [type(hook) for hook in hooks] == [Own]


def test_a_training_without_epochs_is_refused(cells, tmp_path):
    loop = dict(by_epoch=False, max_iters=4)
    with pytest.raises(InputError, match='SwAV counts epochs'):
        small_swav(cells, tmp_path, train_cfg=loop).train()
