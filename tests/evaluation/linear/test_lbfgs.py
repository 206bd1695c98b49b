import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from bm_plugins.evaluation.linear.lbfgs import LBFGS


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
