import pytest
import torch

from bm_plugins.evaluation.linear import principal_axes
from bm_plugins.evaluation.linear.principal_axes import (
    principal_axes as axes_of,
)
from bm_plugins.evaluation.linear.softmax_fits import SoftmaxFits
from bm_plugins.evaluation.linear.softmax_objective import SoftmaxObjective
from tests.evaluation.blobs import SHARES, blobs

WEIGHTINGS = pytest.mark.parametrize('class_weight', ['balanced', None])


def fitted(x, y, class_weight, left_out=None, path=(1e-2,), tolerance=1e-8):
    objective = SoftmaxObjective(x, y, axes_of(x), left_out, class_weight)
    fits = SoftmaxFits(objective)
    for l2 in path:
        fits.minimise(l2, tolerance)
    return fits


@WEIGHTINGS
def test_side_by_side_as_one_by_one(class_weight):
    x, y = blobs(shares=SHARES)
    left_out = torch.arange(len(y)) % 3
    fits = fitted(x, y, class_weight, left_out)
    for k, theta in enumerate(fits.thetas):
        rows = left_out != k
        alone = fitted(x[rows], y[rows], class_weight).thetas[0]
        torch.testing.assert_close(theta, alone, rtol=0, atol=1e-5)
        held_out = x[~rows] @ alone[:-1] + alone[-1]
        found = fits.held_out_predictions()[~rows]
        assert torch.equal(found, held_out.argmax(1))


@WEIGHTINGS
def test_a_path_ends_where_its_last_value_alone_does(class_weight):
    x, y = blobs(shares=SHARES)
    path = fitted(x, y, class_weight, path=(1.0, 0.1, 1e-3)).thetas
    alone = fitted(x, y, class_weight, path=(1e-3,)).thetas
    torch.testing.assert_close(path, alone, rtol=0, atol=1e-4)


@WEIGHTINGS
def test_single_precision_gives_the_same_probabilities(
    monkeypatch, class_weight
):
    x, y = blobs(n=600, dims=20, shares=SHARES)
    exact = fitted(x, y, class_weight, path=(1e-3,)).thetas[0]
    monkeypatch.setattr(principal_axes, 'SMALL', 0)
    near = fitted(
        x.float(), y, class_weight, path=(1e-3,), tolerance=1e-6
    ).thetas[0]
    ours, theirs = ((x @ t[:-1] + t[-1]).softmax(1) for t in (near, exact))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
