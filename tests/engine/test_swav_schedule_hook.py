import pytest
import torch
from mmengine.hooks import Hook

from bm_plugins.errors import InputError
from tests.engine.small_swav import small_swav


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
        # Up to the normalisation of what is already normalised.
        torch.testing.assert_close(weight, start, rtol=0, atol=1e-6)
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


def test_short_queue_is_found_at_the_start(cells, tmp_path):
    runner = small_swav(cells, tmp_path)
    runner._train_dataloader['batch_size'] = 19
    with pytest.raises(InputError, match='queue_length 18 .* batch of 19'):
        runner.train()
