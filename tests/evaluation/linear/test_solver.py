import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from bm_plugins.evaluation.linear import preprocessing
from bm_plugins.evaluation.linear.objective import SoftmaxObjective
from bm_plugins.evaluation.linear.preprocessing import (
    principal_axes as axes_of,
)
from bm_plugins.evaluation.linear.solver import LBFGS, SoftmaxFits
from tests.evaluation.blobs import SHARES, blobs


def minimum(function, start, inverse, tolerance=1e-8, **kwargs):
    """The result and the number of evaluations."""
    search = LBFGS(start, inverse, tolerance, **kwargs)
    for count in range(1, 500):
        point = search.point.clone().requires_grad_(True)
        value = function(point)
        value.backward()
        search.tell(float(value.detach()), point.grad)
        if search.done:
            return search.point, count
    raise AssertionError('no end')


def test_exact_inverse_takes_one_step():
    scales = torch.tensor([1e-3, 1.0, 50.0]).double()
    centre = torch.tensor([3.0, -2.0, 0.5]).double()
    found, evaluations = minimum(
        lambda x: (scales * (x - centre).square()).sum() / 2,
        torch.zeros(3).double(),
        1 / scales,
    )
    torch.testing.assert_close(found, centre)
    assert evaluations == 2


def test_equals_scipy_from_a_bad_preconditioner():
    rng = np.random.default_rng(0)
    a = torch.from_numpy(rng.normal(size=(30, 8)))

    def function(x):
        return (a @ x).exp().sum().log() + x.square().sum() / 2

    found, _ = minimum(
        function, torch.ones(8).double(), torch.full((8,), 100.0).double()
    )
    theirs = minimize(
        lambda x: float(function(torch.from_numpy(x))),
        np.zeros(8),
        tol=1e-12,
    )
    np.testing.assert_allclose(found, theirs.x, atol=1e-5)


def test_a_step_too_long_ends_at_the_least_point_of_its_parabola():
    # From 1 by -4 to -3, which is worse; a quarter of it is the minimum.
    found, evaluations = minimum(
        lambda x: 2 * x.square().sum(), torch.ones(1).double(), torch.ones(1)
    )
    assert found.item() == pytest.approx(0, abs=1e-12)
    assert evaluations == 3


def test_overflow_shortens_the_step():
    found, _ = minimum(
        lambda x: x.exp().sum() - x.sum(),
        torch.full((2,), -3.0).double(),
        torch.full((2,), 1e5).double(),
    )
    assert found.abs().max() < 1e-6


def test_ends_where_rounding_hides_progress():
    """Values of single precision, and a tolerance out of their reach."""
    found, _ = minimum(
        lambda x: ((x.float() - 1).square().sum() + 100).double(),
        torch.zeros(3).double(),
        torch.full((3,), 0.3).double(),
        tolerance=0.0,
        noise=1e-7,
    )
    assert found.tolist() == pytest.approx([1, 1, 1], abs=1e-2)


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
    monkeypatch.setattr(preprocessing, 'SMALL', 0)
    near = fitted(
        x.float(), y, class_weight, path=(1e-3,), tolerance=1e-6
    ).thetas[0]
    ours, theirs = ((x @ t[:-1] + t[-1]).softmax(1) for t in (near, exact))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
