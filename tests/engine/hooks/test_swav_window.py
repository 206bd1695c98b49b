import math

import numpy as np
import pytest
import torch
from mmengine.dist import get_dist_info

from bm_plugins.engine.hooks.swav_window import SwAVWindow
from bm_plugins.models import GlobalSwAVLoss


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
