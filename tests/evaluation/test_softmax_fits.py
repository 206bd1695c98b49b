import torch

from bm_plugins.evaluation import principal_axes
from bm_plugins.evaluation.principal_axes import principal_axes as axes_of
from bm_plugins.evaluation.softmax_fits import SoftmaxFits
from bm_plugins.evaluation.softmax_objective import SoftmaxObjective
from tests.evaluation.blobs import blobs


def fitted(x, y, left_out=None, path=(1e-2,), tolerance=1e-8):
    objective = SoftmaxObjective(x, y, axes_of(x), left_out)
    fits = SoftmaxFits(objective)
    for l2 in path:
        fits.minimise(l2, tolerance)
    return fits


def test_side_by_side_as_one_by_one():
    x, y = blobs()
    left_out = torch.arange(len(y)) % 3
    fits = fitted(x, y, left_out)
    for k, theta in enumerate(fits.thetas):
        rows = left_out != k
        alone = fitted(x[rows], y[rows]).thetas[0]
        torch.testing.assert_close(theta, alone, rtol=0, atol=1e-5)
        held_out = x[~rows] @ alone[:-1] + alone[-1]
        found = fits.held_out_predictions()[~rows]
        assert torch.equal(found, held_out.argmax(1))


def test_a_path_ends_where_its_last_value_alone_does():
    x, y = blobs()
    path = fitted(x, y, path=(1.0, 0.1, 1e-3)).thetas
    alone = fitted(x, y, path=(1e-3,)).thetas
    torch.testing.assert_close(path, alone, rtol=0, atol=1e-4)


def test_single_precision_gives_the_same_probabilities(monkeypatch):
    x, y = blobs(n=600, dims=20)
    exact = fitted(x, y, path=(1e-3,)).thetas[0]
    monkeypatch.setattr(principal_axes, 'SMALL', 0)
    near = fitted(x.float(), y, path=(1e-3,), tolerance=1e-6).thetas[0]
    ours, theirs = ((x @ t[:-1] + t[-1]).softmax(1) for t in (near, exact))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
