import math
import re

import pytest
import torch
from mmengine.hooks import Hook

from bm_plugins.compat.safe_loading import load
from bm_plugins.errors import InputError
from tests.engine.small_swav import small_swav

SCHEDULE = dict(
    type='SwAVScheduleHook', queue_start_epoch=3, freeze_prototypes_epochs=1
)
NAMES = ('ln_k_share', 'spread', 'usage_entropy', 'dead_prototypes')


def monitored(cells, folder, **kwargs):
    settings = dict(
        custom_hooks=[SCHEDULE, dict(type='SwAVMonitorHook')],
        default_hooks=dict(
            checkpoint=dict(type='SafeCheckpointHook', interval=1),
            logger=dict(type='LoggerHook', interval=2),
        ),
    )
    return small_swav(cells, folder, **(settings | kwargs))


def log_of(folder):
    return next(folder.glob('*/*.log')).read_text()


def test_figures_stand_beside_the_loss(cells, tmp_path):
    runner = monitored(cells, tmp_path)
    runner.train()
    scalars = runner.message_hub.log_scalars
    for name in ('ln_k_share', 'spread'):
        assert len(scalars[f'train/{name}'].data[0]) == 8  # 2 an epoch
    for name in ('usage_entropy', 'dead_prototypes'):
        # 36 embeddings a log, 60 of 6 prototypes wanted
        assert len(scalars[f'train/{name}'].data[0]) == 4
    lines = re.findall(r'Epoch\(train\).*', log_of(tmp_path))
    for name in NAMES:
        assert f'{name}: 0.' in lines[-1] or f'{name}: 1.' in lines[-1]
    loss = scalars['train/loss'].data[0]
    shares = scalars['train/ln_k_share'].data[0]
    for i, share in enumerate(shares):
        mean = (loss[2 * i] + loss[2 * i + 1]) / 2
        assert share == pytest.approx(mean / math.log(6), rel=1e-5)


def test_a_healthy_run_is_not_warned_of(cells, tmp_path):
    monitored(cells, tmp_path).train()
    assert 'WARNING - SwAV' not in log_of(tmp_path)


def test_a_stuck_run_is_told_what_to_change(cells, tmp_path):
    runner = monitored(
        cells,
        tmp_path,
        train_cfg=dict(by_epoch=True, max_epochs=6),
        # It cannot learn.
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
        custom_hooks=[
            SCHEDULE,
            dict(type='SwAVMonitorHook', stuck_share=0.5, patience=3),
        ],
    )
    runner.train()
    warnings = re.findall(r'WARNING - (SwAV is stuck.*)', log_of(tmp_path))
    assert len(warnings) == 1
    assert 'ln 6' in warnings[0] and 'num_prototypes, now 6' in warnings[0]
    assert 'lr, now 0' in warnings[0]


class Collapse(Hook):
    """All embeddings become the same."""

    def before_train_iter(self, runner, **_):
        with torch.no_grad():
            runner.model.neck.projection_neck.weight.zero_()
            runner.model.neck.projection_neck.bias.fill_(1)


def test_a_collapse_and_dead_prototypes_are_warned_of(cells, tmp_path):
    runner = monitored(
        cells,
        tmp_path,
        custom_hooks=[SCHEDULE, dict(type='SwAVMonitorHook', patience=2)],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-6)),
    )
    runner.register_hook(Collapse())
    runner.train()
    log = log_of(tmp_path)
    assert len(re.findall('WARNING - SwAV: the embeddings are', log)) == 1
    assert len(re.findall('WARNING - SwAV: 83% of 6 prototypes', log)) == 1


class Break(Hook):
    """The weights become NaN in an iteration."""

    def __init__(self, at):
        self.at = at

    def before_train_iter(self, runner, **_):
        if runner.iter == self.at:
            with torch.no_grad():
                runner.model.backbone.conv1.weight.fill_(float('nan'))


@pytest.mark.parametrize('at', [9, 11])
def test_nan_ends_the_run_and_names_the_last_good_checkpoint(
    cells, tmp_path, at
):
    runner = monitored(cells, tmp_path)
    runner.register_hook(Break(at))
    good = tmp_path / 'epoch_2.pth'
    with pytest.raises(InputError, match=f'loss is nan .* {good}') as error:
        runner.train()
    assert 'epoch 3' in str(error.value)
    assert not (tmp_path / 'epoch_3.pth').exists()
    for value in load(str(good))['state_dict'].values():
        assert value.isfinite().all()


def test_weights_that_are_not_finite_are_never_saved(cells, tmp_path):
    runner = monitored(
        cells,
        tmp_path,
        custom_hooks=[SCHEDULE],
        default_hooks=dict(
            checkpoint=dict(
                type='SafeCheckpointHook', by_epoch=False, interval=1
            )
        ),
    )
    runner.register_hook(Break(2))
    good = tmp_path / 'iter_2.pth'
    with pytest.raises(InputError, match=f'conv1.* not finite .* {good}'):
        runner.train()
    assert not (tmp_path / 'iter_3.pth').exists()
