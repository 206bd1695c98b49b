import numpy as np
import pytest
import torch

from bm_plugins.models.sinkhorn import sinkhorn


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


def test_permuting_samples_permutes_the_result():
    scores = torch.rand(30, 10, generator=torch.Generator().manual_seed(1))
    order = torch.randperm(30, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        sinkhorn(scores[order], 0.03, 3), sinkhorn(scores, 0.03, 3)[order]
    )
