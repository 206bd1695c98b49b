import pytest
import torch
from torch import nn
from torch._dynamo import register_backend

from bm_plugins.engine.step_options import check_counts
from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError
from tests.engine.loops.test_train_loop import Power, PowerCut
from tests.engine.resumable_runs import assert_equal, classifier, states
from tests.engine.tiny_runs import steps, tiny_run


def trained(name, cells, work_dir, count=2, **options):
    """Loss of each step, and the runner, after ``count`` steps."""
    runner = tiny_run(name, cells, work_dir, **steps(count, name), **options)
    runner.train()
    losses, _ = runner.message_hub.log_scalars['train/loss'].data
    return torch.from_numpy(losses), runner


@pytest.fixture(scope='module', params=['swav_tiny_bm', 'resnet_tiny_bm'])
def plain(request, cells, tmp_path_factory):
    """A run without options."""
    name = request.param
    losses, runner = trained(name, cells, tmp_path_factory.mktemp('plain'))
    return name, losses, runner.model.state_dict()


def assert_same_weights(model, expected):
    """As far as sums in another order go; with the same keys."""
    weights = model.state_dict()
    assert list(weights) == list(expected)
    for key, value in expected.items():
        difference = (weights[key] - value).float().norm()
        assert difference <= 1e-3 * value.float().norm() + 1e-3, key


@pytest.mark.slow
def test_channels_last_changes_no_result(cells, tmp_path, plain):
    name, expected, weights = plain
    losses, runner = trained(name, cells, tmp_path, channels_last=True)
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-5)
    assert_same_weights(runner.model, weights)
    seen = []
    conv = next(
        m for m in runner.model.backbone.modules() if isinstance(m, nn.Conv2d)
    )
    conv.register_forward_hook(lambda _, inputs, out: seen.extend([*inputs]))
    runner.model.backbone(torch.zeros(2, 3, 48, 48))
    order = torch.channels_last
    assert seen[0].is_contiguous(memory_format=order)
    assert conv.weight.is_contiguous(memory_format=order)
    assert not conv.weight.is_contiguous()
    # Weights of either order load into the other.
    runner.model.load_state_dict(weights)
    assert not conv.weight.is_contiguous()
    file = tmp_path / 'last.pth'
    runner.save_checkpoint(str(tmp_path), file.name)
    other = tiny_run(name, cells, tmp_path / 'other')
    other.load_checkpoint(str(file))
    assert_same_weights(other.model, weights)


COMPILED = []


@register_backend
def noting(graph, inputs):
    """A backend that notes the sizes of images it compiles for."""
    shapes = [tuple(t.shape) for t in inputs if t.dim() == 4]
    COMPILED.extend(shape for shape in shapes if shape[0] == 12)
    return graph.forward


@pytest.mark.slow
def test_compiled_backbone(cells, tmp_path, plain):
    name, expected, weights = plain
    torch._dynamo.reset()
    options = {'compile': dict(backend='aot_eager')}
    losses, runner = trained(name, cells, tmp_path, **options)
    assert runner.model.backbone._compiled_call_impl is not None
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-5)
    assert_same_weights(runner.model, weights)


@pytest.mark.slow
def test_views_of_two_sizes_are_compiled_once_each(cells, tmp_path):
    views = [
        dict(num=2, size=48, scale=(0.3, 1.0)),
        dict(num=2, size=32, scale=(0.1, 0.3)),
    ]
    runner = tiny_run(
        'swav_tiny_bm',
        cells,
        tmp_path,
        **steps(4),
        **{
            'compile': dict(backend='noting'),
            'model.head.loss.num_crops': [2, 2],
            'train_dataloader.dataset.pipeline.1.views': views,
        },
    )
    torch._dynamo.reset()
    COMPILED.clear()
    runner.train()
    assert COMPILED == [(12, 3, 48, 48), (12, 3, 32, 32)]


def test_compile_wants_options(cells, tmp_path):
    runner = tiny_run('swav_tiny_bm', cells, tmp_path, compile='inductor')
    with pytest.raises(InputError, match='compile=inductor: expected True'):
        runner.train()


def test_options_want_a_backbone(cells, tmp_path):
    runner = tiny_run('swav_tiny_bm', cells, tmp_path, channels_last=True)
    with pytest.raises(InputError, match='Linear has none'):
        runner.build_model(nn.Linear(2, 2))


def test_dtype_wants_mixed_precision(cells, tmp_path):
    options = {'optim_wrapper.dtype': 'bfloat16'}
    runner = tiny_run('swav_tiny_bm', cells, tmp_path, **options)
    with pytest.raises(InputError, match='add optim_wrapper.type=Amp'):
        runner.train()


def two_ranks(cells, folder):
    runner = tiny_run(
        'supcon_tiny_bm',
        cells,
        folder,
        **steps(2),
        **{
            'channels_last': True,
            'compile': dict(backend='aot_eager'),
            'launcher': 'pytorch',
            'optim_wrapper.type': 'AmpOptimWrapper',
            'optim_wrapper.dtype': 'bfloat16',
        },
    )
    runner.train()
    weights = unwrap(runner.model).state_dict()
    torch.save(weights, f'{folder}/{torch.distributed.get_rank()}.pth')


@pytest.mark.slow
def test_all_options_on_two_processes(run_ranks, cells, tmp_path):
    run_ranks(two_ranks, 2, cells, tmp_path)
    one, two = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    for key, value in one.items():
        if 'running' not in key:  # each rank's own
            assert torch.equal(two[key], value), key


def test_batches_are_page_locked_where_there_is_a_gpu(cells, tmp_path):
    runner = tiny_run('swav_tiny_bm', cells, tmp_path)
    runner._train_dataloader['pin_memory'] = True  # as upstream's train.py
    assert runner.train_dataloader.pin_memory is torch.cuda.is_available()


NAME = 'resnet_tiny_bm'


def weights_after(cells, work_dir, batch, accumulative_counts, epochs=1):
    """Of a model that knows no batch, by a constant rate, over 24 images."""
    options = {
        'model.backbone.norm_cfg': dict(type='GN', num_groups=4),
        'optim_wrapper.accumulative_counts': accumulative_counts,
        'param_scheduler': [],
        'train_cfg.max_epochs': epochs,
        'train_dataloader.batch_size': batch,
    }
    runner = tiny_run(NAME, cells, work_dir, **steps(4, NAME) | options)
    runner.train()
    return {k: v.clone() for k, v in runner.model.state_dict().items()}


def assert_close(one, other):
    for key, value in one.items():
        torch.testing.assert_close(
            other[key], value, rtol=1e-4, atol=1e-6, msg=key
        )


@pytest.mark.slow
def test_two_steps_summed_up_equal_one_of_twice_the_batch(cells, tmp_path):
    large = weights_after(cells, tmp_path / 'large', 12, 1)
    small = weights_after(cells, tmp_path / 'small', 6, 2)
    assert_close(large, small)
    once = weights_after(cells, tmp_path / 'once', 6, 1)
    assert not torch.allclose(once['head.fc.weight'], small['head.fc.weight'])


@pytest.mark.slow
def test_the_rest_of_an_epoch_is_an_update(cells, tmp_path):
    """8 of 3 images by fives: 15 and 9 images, in each of two epochs."""
    small = weights_after(cells, tmp_path / 'small', 3, 5, epochs=2)
    smaller = weights_after(cells, tmp_path / 'smaller', 1, 15, epochs=2)
    assert_close(small, smaller)


@pytest.mark.slow
@pytest.mark.parametrize('cut', [6, 9])
def test_resumed_run_equals_one_that_never_stopped(cells, tmp_path, cut):
    """4 batches an epoch by threes; a checkpoint after each epoch."""

    def build(folder, **kwargs):
        return classifier(
            cells,
            tmp_path / folder,
            optim_wrapper=dict(
                optimizer=dict(type='SGD', lr=0.1, momentum=0.9),
                accumulative_counts=3,
            ),
            default_hooks=dict(checkpoint=dict(type='SafeCheckpointHook')),
            **kwargs,
        )

    build('whole').train()
    runner = build('cut')
    runner.register_hook(PowerCut(cut))
    with pytest.raises(Power):
        runner.train()
    build('cut', resume=True).train()
    assert_equal(states(tmp_path / 'cut'), states(tmp_path / 'whole'))


@pytest.mark.parametrize(
    'name,reason',
    [('swav_tiny_bm', 'equal shares'), ('supcon_tiny_bm', 'contrasts')],
)
def test_methods_that_it_would_change(cells, tmp_path, name, reason):
    options = {'optim_wrapper.accumulative_counts': 4}
    runner = tiny_run(name, cells, tmp_path, **options)
    with pytest.raises(InputError, match=reason) as error:
        runner.train()
    assert 'accumulative_counts=4' in str(error.value)
    assert 'bfloat16' in str(error.value)
    assert runner.iter == 0


def test_learning_rate_is_scaled_by_the_images_of_an_update(cells, tmp_path):
    """Batches of 6 by fours are 24 images, for a rate of 64."""
    options = {
        'optim_wrapper.accumulative_counts': 4,
        'auto_scale_lr': dict(base_batch_size=64, enable=True),
    }
    runner = tiny_run(NAME, cells, tmp_path, **steps(4, NAME) | options)
    runner.train()
    (group,) = runner.optim_wrapper.optimizer.param_groups
    assert group['initial_lr'] == pytest.approx(0.1 * 24 / 64)
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'the gradients of 4 steps, of 24 images' in log


@pytest.mark.parametrize('counts', [0, -1, 1.5])
def test_counts_are_numbers_from_1(counts):
    with pytest.raises(InputError, match=f'accumulative_counts={counts}'):
        check_counts(counts)


def test_no_checkpoint_amid_an_accumulation(cells, tmp_path):
    options = {
        'optim_wrapper.accumulative_counts': 2,
        'default_hooks.checkpoint': dict(
            type='SafeCheckpointHook', by_epoch=False, interval=3
        ),
    }
    runner = tiny_run(NAME, cells, tmp_path, **options)
    with pytest.raises(InputError, match='interval=3 .*counts=2'):
        runner.train()
