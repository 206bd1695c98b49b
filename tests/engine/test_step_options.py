import pytest
import torch
from torch import nn
from torch._dynamo import register_backend

from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError
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
