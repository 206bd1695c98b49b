import math
import re

import numpy as np
import pytest
import torch
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook

from bm_plugins.compat.safe_loading import load
from bm_plugins.datasets import Matek
from bm_plugins.engine.hooks.swav_monitor_hook import (
    SwAVWindow,
    check_swav_settings,
)
from bm_plugins.errors import InputError
from bm_plugins.models import GlobalSwAVLoss
from tests.engine.small_swav import small_swav


def unit(*shape, seed):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(x, dim=-1)


def figures(batches):
    """The window's figures over this rank's share of ``batches``."""
    rank, world_size = get_dist_info()
    torch.manual_seed(0)
    loss = GlobalSwAVLoss(8, num_prototypes=5)
    window = SwAVWindow(loss)
    values = [
        loss(batch[:, rank::world_size].flatten(0, 1)).item()
        for batch in batches
    ]
    return loss, window, values


BATCHES = [unit(2, 8, 8, seed=seed) for seed in range(4)]


def check_rank():
    loss, window, _ = figures(BATCHES)
    health = window.read()
    z = torch.cat([batch.flatten(0, 1) for batch in BATCHES]).double().numpy()
    prototypes = loss.prototypes.weight.detach().double().numpy()
    nearest = (z @ prototypes.T).argmax(1)
    shares = np.bincount(nearest, minlength=5) / len(z)
    used = shares[shares > 0]
    entropy = -(used * np.log(used)).sum() / math.log(5)
    assert health.usage_entropy == pytest.approx(entropy)
    assert health.dead_prototypes == (shares == 0).mean()
    spread = z.std(0).mean() * math.sqrt(8)
    assert health.spread == pytest.approx(spread, rel=1e-5)
    assert health.ln_k_share == pytest.approx(health.loss / math.log(5))
    assert window.read() is None


@pytest.mark.parametrize('world_size', [1, 2])
def test_figures_are_those_of_all_ranks(run_ranks, world_size):
    run_ranks(check_rank, world_size)


def test_loss_is_the_mean_of_the_steps():
    _, window, values = figures(BATCHES)
    assert window.read().loss == pytest.approx(np.mean(values))


def test_usage_waits_for_ten_embeddings_a_prototype():
    loss, window, _ = figures(BATCHES[:3])  # 48 of 50
    health = window.read()
    assert health.usage_entropy is None and health.dead_prototypes is None
    loss(BATCHES[3].flatten(0, 1))
    assert window.read().usage_entropy is not None


def test_evaluation_is_not_counted():
    loss, window, _ = figures([])
    loss.eval()
    loss(BATCHES[0].flatten(0, 1))
    assert window.read() is None


def test_spread_of_equal_embeddings_is_0():
    _, window, _ = figures([unit(1, 1, 8, seed=0).expand(2, 8, 8)] * 4)
    health = window.read()
    assert health.spread == pytest.approx(0, abs=1e-3)
    assert health.dead_prototypes == pytest.approx(0.8)
    assert health.usage_entropy == 0


def test_nan_is_in_the_loss():
    batch = BATCHES[0].clone()
    batch[0, 0, 0] = float('nan')
    _, window, _ = figures([BATCHES[1], batch])
    assert math.isnan(window.read().loss)


def check(cells, prototypes=6, queue=0, batch_size=9, **view):
    view = dict(num=2, size=16, scale=(0.3, 1.0)) | view
    views = dict(
        type='MultiCropViews', views=[view], hue=9, saturation=0, value=0
    )
    dataset = Matek(str(cells), with_label=False, pipeline=[views])
    loss = GlobalSwAVLoss(8, queue_length=queue, num_prototypes=prototypes)
    return check_swav_settings(loss, dataset, batch_size)


def test_settings_that_fit(cells):
    assert check(cells) == []


def test_prototypes_against_batch_and_queue(cells):
    (warning,) = check(cells, prototypes=19)
    assert 'num_prototypes=19 for 9 embeddings' in warning
    assert 'at most 18' in warning
    assert check(cells, prototypes=19, queue=1) == []


def test_queue_against_the_data(cells):
    (warning,) = check(cells, queue=44)
    assert 'queue_length=44' in warning and '43 images' in warning
    assert check(cells, queue=43) == []


def test_views_against_the_images(cells):
    (warning,) = check(cells, size=65)
    assert 'views of 65 px' in warning and 'images of 64 px' in warning
    (warning,) = check(cells, size=64, scale=(0.05, 1.0))
    assert 'the smallest from 14 px' in warning


def test_views_against_the_loss(cells):
    with pytest.raises(InputError, match=r'gives 8 views .*num_crops=\[2\]'):
        check(cells, num=8)


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
