"""The loss of Menon et al. 2021, equation 10, from its definition."""

import numpy as np
import pytest
import torch

from bm_plugins.errors import InputError
from bm_plugins.models.losses.logit_adjusted_loss import LogitAdjustedLoss


def by_hand(logits, targets, shares, tau):
    """-log(π_y^τ e^f_y / Σ π_c^τ e^f_c), mean over the targets' classes."""
    weights = np.exp(np.asarray(logits, float)) * np.asarray(shares) ** tau
    log_p = np.log(weights / weights.sum(1, keepdims=True))
    return -(np.asarray(targets) * log_p).sum(1).mean()


@pytest.mark.parametrize('tau', [0.0, 0.5, 1.0])
def test_equals_the_definition(tau):
    loss = LogitAdjustedLoss(tau)
    loss.set_classes('ABC', [60, 30, 10])
    logits = [[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]]
    for label, targets in (
        ([2, 0], [[0, 0, 1], [1, 0, 0]]),
        ([[0.7, 0.3, 0.0], [0.2, 0.0, 0.8]],) * 2,
    ):
        found = loss(torch.tensor(logits), torch.tensor(label), avg_factor=2)
        expected = by_hand(logits, targets, [0.6, 0.3, 0.1], tau)
        assert found.item() == pytest.approx(expected, rel=1e-6)


def test_classes_of_other_shares_give_other_logits_for_the_same_loss():
    """Minimal where f_y differs by nothing but what p(x|y) says."""
    loss = LogitAdjustedLoss()
    loss.set_classes('AB', [90, 10])
    logits = torch.zeros(100, 2, requires_grad=True)
    labels = torch.tensor([0] * 90 + [1] * 10)
    (slope,) = torch.autograd.grad(loss(logits, labels), logits)
    # Logits of 0 for images of no use are right: each class alike.
    torch.testing.assert_close(slope.sum(0), torch.zeros(2))


def test_a_class_without_images_is_pushed_down():
    loss = LogitAdjustedLoss()
    said = loss.set_classes(('A', 'B', 'C'), [6, 2, 0])
    assert said.endswith('A -0.2877 B -1.386 C 0')  # ln 3/4, ln 1/4
    logits = torch.zeros(2, 3, requires_grad=True)
    for label in ([0, 1], [[0.5, 0.5, 0], [1.0, 0, 0]]):
        found = loss(logits, torch.tensor(label))
        (slope,) = torch.autograd.grad(found, logits)
        assert found.isfinite() and (slope[:, 2] > 0).all()


@pytest.mark.parametrize('tau', [-1, float('nan'), '1'])
def test_tau_that_cannot_be(tau):
    with pytest.raises(InputError, match='tau=.*expected a number from 0'):
        LogitAdjustedLoss(tau)


def test_no_checkpoint_holds_the_shares():
    assert not LogitAdjustedLoss().state_dict()
