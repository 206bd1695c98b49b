import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bm_plugins.models.losses.sinkhorn import sinkhorn


def reference(scores, epsilon, iterations):
    """The paper's loop, in float64 and without logarithms."""
    q = np.exp(scores.astype(np.float64) / epsilon)
    q /= q.sum()
    samples, prototypes = q.shape
    for _ in range(iterations):
        for k in range(prototypes):
            q[:, k] /= q[:, k].sum() * prototypes
        for i in range(samples):
            q[i] /= q[i].sum() * samples
    return q * samples


@pytest.mark.parametrize('samples,prototypes', [(64, 40), (7, 50), (1, 3)])
@pytest.mark.parametrize('iterations', [1, 3, 10])
def test_equals_float64_loop(samples, prototypes, iterations):
    rng = np.random.default_rng(samples)
    scores = rng.uniform(-1, 1, (samples, prototypes)).astype(np.float32)
    q = sinkhorn(torch.from_numpy(scores), 0.03, iterations)
    expected = reference(scores, 0.03, iterations)
    np.testing.assert_allclose(q.numpy(), expected, rtol=0, atol=1e-5)


def test_two_by_two_by_hand():
    # exp: [[2, 1], [1, 1]]. Columns over their sums: [[2/3, 1/2], [1/3, 1/2]];
    # rows over theirs: [[4/7, 3/7], [2/5, 3/5]].
    scores = torch.log(torch.tensor([[2.0, 1.0], [1.0, 1.0]]))
    q = sinkhorn(scores, epsilon=1.0, iterations=1)
    expected = torch.tensor([[4 / 7, 3 / 7], [2 / 5, 3 / 5]])
    torch.testing.assert_close(q, expected)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_scores_do_not_overflow(dtype):
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(32, 20, generator=generator).mul(2).sub(1).to(dtype)
    q = sinkhorn(scores, 0.005, 3)
    expected = reference(scores.float().numpy(), 0.005, 3)
    assert q.dtype == torch.float32
    np.testing.assert_allclose(q.numpy(), expected, rtol=0, atol=1e-5)


problems = st.tuples(
    st.integers(0, 2**32 - 1),  # seed
    st.integers(1, 24),  # samples
    st.integers(1, 40),  # prototypes
    st.sampled_from([0.005, 0.01, 0.03, 0.05, 0.5]),
    st.integers(1, 8),  # iterations
    st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
)


def draw(seed, samples, prototypes, dtype):
    """Cosine similarities of unit vectors, a prototype far from all."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(samples, 8))
    c = rng.normal(size=(prototypes, 8))
    c[0] = -z.sum(0)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    c /= np.linalg.norm(c, axis=1, keepdims=True)
    return torch.from_numpy(z @ c.T).to(dtype)


@settings(deadline=None)
@given(problems)
def test_rows_and_marginals(problem):
    seed, samples, prototypes, epsilon, iterations, dtype = problem
    scores = draw(seed, samples, prototypes, dtype)
    q = sinkhorn(scores, epsilon, iterations)
    torch.testing.assert_close(q.sum(1), torch.ones(samples))
    assert q.min() >= 0
    expected = reference(scores.double().numpy(), epsilon, iterations)
    np.testing.assert_allclose(q, expected, rtol=0, atol=1e-5)
    # Each prototype has as much as the iteration left it.
    np.testing.assert_allclose(
        q.double().sum(0), expected.sum(0), rtol=0, atol=1e-5 * samples
    )


@settings(deadline=None)
@given(problems, st.randoms(use_true_random=False))
def test_order_does_not_matter(problem, random):
    seed, samples, prototypes, epsilon, iterations, dtype = problem
    scores = draw(seed, samples, prototypes, dtype)
    rows = random.sample(range(samples), samples)
    columns = random.sample(range(prototypes), prototypes)
    q = sinkhorn(scores, epsilon, iterations)
    torch.testing.assert_close(
        sinkhorn(scores[rows][:, columns], epsilon, iterations),
        q[rows][:, columns],
        rtol=0,
        atol=1e-5,
    )


def test_many_rounds_share_the_prototypes_equally():
    scores = draw(0, 24, 6, torch.float32)
    q = sinkhorn(scores, 0.5, 200)
    torch.testing.assert_close(q.sum(0), torch.full((6,), 24 / 6))
