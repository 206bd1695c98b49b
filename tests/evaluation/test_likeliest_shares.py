import numpy as np
import pytest
from scipy.optimize import minimize

from bm_plugins.evaluation.likeliest_shares import likeliest_shares


def problems(rng, number, classes, error, total):
    """Counts of cells of random shares, and the matrices they came through."""
    rates = error * rng.dirichlet(np.full(classes, 0.3), (number, classes))
    rates[:, range(classes), range(classes)] += 1 - error
    shares = rng.dirichlet(np.full(classes, 0.5), number)
    predicted = (shares[:, None] @ rates)[:, 0]
    return rng.multinomial(total, predicted).astype(float), rates


def gain(counts, rates, shares):
    return rates @ (counts / (shares @ rates)) / counts.sum()


def test_two_classes_by_hand():
    rates = np.array([[[0.9, 0.1], [0.2, 0.8]]])
    # 62 % predicted as the first: (.62 - .2) / (.9 - .2) = .6 are.
    found = likeliest_shares(np.array([[62.0, 38]]), rates)
    np.testing.assert_allclose(found, [[0.6, 0.4]], atol=1e-4)
    # 95 % are more than even a marrow of nothing else would give.
    found = likeliest_shares(np.array([[95.0, 5]]), rates)
    np.testing.assert_allclose(found, [[1, 0]], atol=1e-4)


@pytest.mark.parametrize('error', [0.05, 0.3, 0.5])
def test_equals_scipy(error):
    counts, rates = problems(np.random.default_rng(1), 6, 5, error, 500)
    found = likeliest_shares(counts, rates)
    for n, matrix, shares in zip(counts, rates, found, strict=True):
        w = n / n.sum()  # SLSQP needs values of about 1

        def loss(p, w=w, matrix=matrix):
            return -(w * np.log(np.maximum(p @ matrix, 1e-300))).sum()

        best = minimize(
            loss,
            np.full(5, 0.2),
            jac=lambda p, w=w, matrix=matrix: -matrix @ (w / (p @ matrix)),
            method='SLSQP',
            bounds=[(1e-12, 1)] * 5,
            constraints=dict(type='eq', fun=lambda p: p.sum() - 1),
            options=dict(ftol=1e-12, maxiter=500),
        )
        assert best.success
        assert loss(shares) < best.fun + 1e-8
        np.testing.assert_allclose(shares, best.x, atol=1e-3)


@pytest.mark.parametrize('total', [20, 500, 1_000_000])
def test_no_better_direction_is_left(total):
    # Karush-Kuhn-Tucker: gain 1 where there is a share, and at most 1.
    counts, rates = problems(np.random.default_rng(total), 40, 21, 0.3, total)
    found = likeliest_shares(counts, rates)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-12)
    assert found.min() >= 0
    for n, matrix, shares in zip(counts, rates, found, strict=True):
        assert (gain(n, matrix, shares).max() - 1) * total < 2e-6


def test_problems_do_not_touch_each_other():
    counts, rates = problems(np.random.default_rng(2), 30, 6, 0.4, 300)
    together = likeliest_shares(counts, rates)
    alone = [
        likeliest_shares(n[None], matrix[None])[0]
        for n, matrix in zip(counts, rates, strict=True)
    ]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


def test_classes_that_nothing_tells_apart_share_by_their_counts():
    rates = np.array([[[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]])
    found = likeliest_shares(np.array([[45.0, 15, 40]]), rates)
    # The start is 46, 16 and 41 of 103.
    expected = [[0.6 * 46 / 62, 0.6 * 16 / 62, 0.4]]
    np.testing.assert_allclose(found, expected, atol=1e-4)
