"""Training steps: as on the CPU, and without waits."""

import copy

import pytest
import torch
from benchmarks.step import BFLOAT16, GPU_VIEWS, step

from tests.engine.tiny_runs import steps, tiny_run

NAMES = ['swav_tiny_bm', 'supcon_tiny_bm', 'resnet_tiny_mixup_bm']


def one_step(model, batch):
    """Loss and gradients of a batch, in float32."""
    model.zero_grad()
    torch.manual_seed(0)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        data = model.data_preprocessor(copy.deepcopy(batch), True)
        losses = model(**data, mode='loss')
        losses['loss'].backward()
    grads = [p.grad.cpu() for p in model.parameters() if p.grad is not None]
    return losses['loss'].detach().cpu(), grads


@pytest.mark.parametrize('name', ['swav_tiny_bm', 'supcon_tiny_bm'])
def test_loss_and_gradients_of_the_cpu(cells, tmp_path, name):
    runner = tiny_run(name, cells, tmp_path, **steps(2, name))
    batch = next(iter(runner.build_dataloader(runner._train_dataloader)))
    assert next(runner.model.parameters()).device.type == 'cuda'
    there = copy.deepcopy(runner.model).train()
    here = copy.deepcopy(runner.model).cpu().train()
    expected, found = one_step(here, batch), one_step(there, batch)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=1e-5)
    a, b = (torch.cat([g.flatten() for g in x[1]]) for x in (expected, found))
    # Of SwAV's, float32 on the CPU is .012 from float64: a rounded value
    # may fall on the other side of a ReLU.
    assert (a - b).norm() / a.norm() < 0.05


@pytest.mark.parametrize('name', NAMES)
def test_nothing_waits(cells, name):
    options = {'train_dataloader.batch_size': 6}
    if name == 'swav_tiny_bm':
        options['model.head.loss.queue_length'] = 12
    found = step(
        str(cells),
        [name],
        runs=1,
        iterations=2,
        workers=1,
        variants={'ours': {}, 'bfloat16': BFLOAT16, 'views': GPU_VIEWS},
        options=options,
    )
    sides = found['configs'][name]['sides']
    assert sides['ours']['waits_per_step'] == 0
    assert sides['bfloat16']['waits_per_step'] == 0
    assert sides['stock']['waits_per_step'] > 0
