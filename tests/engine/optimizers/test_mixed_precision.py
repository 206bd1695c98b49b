import pytest
import torch

from bm_plugins.compat.safe_loading import load
from bm_plugins.engine import MixedPrecision
from bm_plugins.errors import InputError
from tests.engine.hooks.test_swav_schedule_hook import Trace
from tests.engine.loops.test_train_loop import Power, PowerCut
from tests.engine.resumable_runs import (
    assert_equal,
    by_iteration,
    classifier,
    states,
    swav_with_averages,
)
from tests.engine.small_swav import small_swav
from tests.engine.tiny_runs import steps, tiny_run

SGD = dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4)
BFLOAT16 = dict(type='AmpOptimWrapper', dtype='bfloat16', optimizer=SGD)


class Kinds:
    """Types that the layers give out, by name."""

    def __init__(self, model):
        self.seen = {}
        for name, module in model.named_modules():
            module.register_forward_hook(self.note(name))

    def note(self, name):
        def hook(_, inputs, output):
            if isinstance(output, torch.Tensor):
                self.seen[name] = output.dtype

        return hook


@pytest.mark.slow
@pytest.mark.parametrize(
    'name,options',
    [
        ('swav_tiny_bm', {'model.head.loss.queue_length': 12}),
        ('supcon_tiny_bm', {}),
        ('resnet_tiny_bm', {}),
        ('resnet_tiny_weighted_bm', {}),
    ],
)
def test_losses_are_close_to_those_in_float32(cells, tmp_path, name, options):
    losses, kinds = [], None
    for dtype in (None, 'bfloat16'):
        amp = dict(type='AmpOptimWrapper', dtype=dtype) if dtype else {}
        runner = tiny_run(
            name,
            cells,
            tmp_path / str(dtype),
            **steps(4, name),
            **{f'optim_wrapper.{key}': value for key, value in amp.items()},
            **options,
        )
        kinds = Kinds(runner.model)
        runner.train()
        history, _ = runner.message_hub.log_scalars['train/loss'].data
        losses.append(torch.from_numpy(history))
    torch.testing.assert_close(losses[1], losses[0], rtol=0.03, atol=0)
    assert not torch.equal(losses[1], losses[0])
    assert kinds.seen['backbone.conv1'] == torch.bfloat16
    assert kinds.seen['head.loss_module'] == torch.float32
    weights = {p.dtype for p in runner.model.parameters()}
    assert weights == {torch.float32}


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['SGD', 'SyncFreeLARS'])
def test_prototypes_are_frozen_exactly(cells, tmp_path, kind):
    runner = small_swav(
        cells,
        tmp_path,
        optim_wrapper=BFLOAT16 | dict(optimizer=dict(SGD, type=kind)),
    )
    weight = runner.model.head.loss_module.prototypes.weight
    start = weight.detach().clone()
    trace = Trace()
    runner.register_hook(trace, 'LOWEST')
    runner.train()
    for frozen in trace.prototypes[:8]:
        assert torch.equal(frozen, start)
    assert not torch.equal(trace.prototypes[8], start)


@pytest.mark.slow
@pytest.mark.parametrize('build', [classifier, swav_with_averages])
def test_resumed_run_equals_one_that_never_stopped(cells, tmp_path, build):
    def run(folder, **kwargs):
        return build(
            cells,
            tmp_path / folder,
            default_hooks=by_iteration(3),
            optim_wrapper=BFLOAT16,
            **kwargs,
        )

    run('whole').train()
    runner = run('cut')
    runner.register_hook(PowerCut(7))
    with pytest.raises(Power):
        runner.train()
    run('cut', resume=True).train()
    assert_equal(states(tmp_path / 'cut'), states(tmp_path / 'whole'))


@pytest.mark.slow
@pytest.mark.parametrize('first', ['float32', 'bfloat16'])
def test_precision_changes_on_a_resume(cells, tmp_path, first):
    kinds = [BFLOAT16, dict(type='OptimWrapper', optimizer=SGD)]
    if first == 'float32':
        kinds.reverse()
    hooks = by_iteration(3)
    runner = classifier(
        cells, tmp_path, default_hooks=hooks, optim_wrapper=kinds[0]
    )
    runner.register_hook(PowerCut(7))
    with pytest.raises(Power):
        runner.train()
    resumed = classifier(
        cells,
        tmp_path,
        default_hooks=hooks,
        optim_wrapper=kinds[1],
        resume=True,
    )
    resumed.train()
    assert resumed.iter == 12


def test_bfloat16_scales_no_loss():
    weight = torch.nn.Parameter(torch.ones(2))
    wrapper = MixedPrecision(
        dtype='bfloat16', optimizer=torch.optim.SGD([weight], lr=0.5)
    )
    wrapper.backward((weight * torch.tensor([1.0, 2.0])).sum())
    assert weight.grad.tolist() == [1, 2]
    wrapper.step()
    assert weight.tolist() == [0.5, 0]
    assert wrapper.state_dict()['loss_scaler'] == {}


@pytest.mark.parametrize(
    'dtype,said',
    [('float64', 'expected float16 or bfloat16'), (None, 'needs a GPU')],
)
def test_what_cannot_be(dtype, said):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    with pytest.raises(InputError, match=said):
        MixedPrecision(dtype=dtype, optimizer=optimizer)


@pytest.mark.slow
def test_amp_flag_with_bfloat16_on_the_cpu(cells, tmp_path, tool):
    status, _, errors = tool(
        'train',
        'configs/resnet_tiny_bm.py',
        '--amp',
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'optim_wrapper.dtype=bfloat16',
        f'train_dataloader.dataset.data_root={cells}',
        'train_dataloader.batch_size=6',
        'train_dataloader.num_workers=0',
        'train_dataloader.sampler.samples_per_class=4',
        'train_cfg.max_epochs=1',
    )
    assert status == 0, errors
    saved = load(tmp_path / 'epoch_1.pth')
    assert saved['optimizer']['loss_scaler'] == {}
