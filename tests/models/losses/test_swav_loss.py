import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.dist import get_dist_info
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import DefaultScope
from mmpretrain.models.losses import SwAVLoss
from mmpretrain.registry import MODELS

from bm_plugins.compat.cpu_sync_bn import use_cpu_sync_bn
from bm_plugins.errors import InputError
from bm_plugins.models import GlobalSwAVLoss
from bm_plugins.models.losses.swav_loss import sinkhorn


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


def unit(*shape, seed):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(x, dim=-1)


def reference_assignment(batch, queue, prototypes, epsilon, iterations):
    """Float64, without logarithms, one sum at a time."""
    samples = np.concatenate([batch, queue]).astype(np.float64)
    q = np.exp(samples @ prototypes.astype(np.float64).T / epsilon)
    for _ in range(iterations):
        q /= q.sum(0, keepdims=True)
        q /= q.sum(1, keepdims=True)
    return q[: len(batch)]


def one_step(rank_folder):
    """One forward and backward of swav_bm.py's model on this rank's part."""
    rank, world_size = 0, 1
    if torch.distributed.is_initialized():
        rank = torch.distributed.get_rank()
        world_size = torch.distributed.get_world_size()
    cfg = Config.fromfile('configs/swav_bm.py')
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = use_cpu_sync_bn(MODELS.build(cfg.model))
    model.eval()  # normalisation layers out of the question
    loss = model.head.loss_module
    loss.queue.copy_(unit(2, 1280, 128, seed=1))
    loss._fill, loss.use_queue = 1280, True
    seen = []
    assign = loss.assign

    def recording_assign(slot, embeddings):
        q = assign(slot, embeddings)
        seen.append((embeddings.clone(), q))
        return q

    loss.assign = recording_assign
    views = torch.randn(
        2, 8, 3, 32, 32, generator=torch.Generator().manual_seed(2)
    )
    views = views + torch.linspace(-2, 2, 8).view(1, 8, 1, 1, 1)
    local = [view[rank::world_size] for view in views]
    wrapped = model
    if world_size > 1:
        wrapped = MMDistributedDataParallel(model, broadcast_buffers=False)
    wrapped(local, mode='loss')['loss'].backward()
    torch.save(
        dict(
            seen=seen,
            prototypes=loss.prototypes.weight.detach(),
            queue=loss.queue,
            grads={k: p.grad for k, p in model.named_parameters()}
            if rank == 0
            else None,
        ),
        f'{rank_folder}/{world_size}_{rank}.pth',
    )


@pytest.mark.slow
def test_same_on_1_2_and_4_ranks(run_ranks, tmp_path):
    one_step(tmp_path)
    alone = torch.load(tmp_path / '1_0.pth')
    queue = unit(2, 1280, 128, seed=1).numpy()
    expected = [
        reference_assignment(
            z.numpy(), queue[slot], alone['prototypes'].numpy(), 0.03, 3
        )
        for slot, (z, _) in enumerate(alone['seen'])
    ]
    for slot, (_, q) in enumerate(alone['seen']):
        assert q.shape == (8, 1000)
        np.testing.assert_allclose(q, expected[slot], rtol=0, atol=1e-5)
    for world_size in (2, 4):
        run_ranks(one_step, world_size, tmp_path)
        for rank in range(world_size):
            saved = torch.load(tmp_path / f'{world_size}_{rank}.pth')
            for slot, (_, q) in enumerate(saved['seen']):
                np.testing.assert_allclose(
                    q, expected[slot][rank::world_size], rtol=0, atol=1e-5
                )
            torch.testing.assert_close(saved['queue'], alone['queue'])
        grads = torch.load(tmp_path / f'{world_size}_0.pth')['grads']
        for name, grad in alone['grads'].items():
            difference = (grads[name] - grad).norm()
            assert difference <= 1e-4 * grad.norm() + 1e-8, name


CASES = dict(
    plain=dict(per_rank=8, prototypes=40),
    half=dict(per_rank=8, prototypes=40, dtype=torch.float16),
    bfloat=dict(per_rank=8, prototypes=40, dtype=torch.bfloat16),
    small_epsilon=dict(per_rank=8, prototypes=40, epsilon=0.005),
    half_small_epsilon=dict(
        per_rank=8, prototypes=40, epsilon=0.005, dtype=torch.float16
    ),
    batch_of_one=dict(per_rank=1, prototypes=40),
    no_queue=dict(per_rank=4, prototypes=40, queue=0),
    more_prototypes_than_samples=dict(per_rank=2, prototypes=300, queue=0),
)


def check_assignments(case):
    """This rank's part against the float64 solution of the whole."""
    rank, world_size = get_dist_info()
    epsilon = case.get('epsilon', 0.03)
    dtype = case.get('dtype', torch.float32)
    length = case.get('queue', 64)
    total = case['per_rank'] * 4
    torch.manual_seed(0)
    loss = GlobalSwAVLoss(
        16,
        queue_length=length,
        num_prototypes=case['prototypes'],
        epsilon=epsilon,
    )
    batch = unit(total, 16, seed=4)
    # A prototype that no sample of the first rank comes near to.
    away = -batch[0::world_size].sum(0)
    with torch.no_grad():
        loss.prototypes.weight[0] = away / away.norm()
    queue = unit(length, 16, seed=5)
    if length:
        loss.queue[0] = queue
        loss._fill, loss.use_queue = length, True
    batch = batch.to(dtype)
    q = loss.assign(0, batch[rank::world_size].float())
    expected = reference_assignment(
        batch.double().numpy(),
        queue.numpy(),
        loss.prototypes.weight.detach().numpy(),
        epsilon,
        3,
    )
    np.testing.assert_allclose(
        q, expected[rank::world_size], rtol=0, atol=1e-5
    )
    # The same samples, the other way round over the ranks and in them.
    if length:
        loss.queue[0] = queue
    q = loss.assign(0, batch.flip(0)[rank::world_size].float())
    np.testing.assert_allclose(
        q, expected[::-1][rank::world_size], rtol=0, atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('world_size', [1, 2, 4])
def test_assignment_is_that_of_all_ranks(run_ranks, case, world_size):
    run_ranks(check_assignments, world_size, CASES[case])


def under_autocast(dtype):
    """The loss takes what autocast hands it, and is float32 inside."""
    torch.manual_seed(0)
    loss = GlobalSwAVLoss(16, num_prototypes=20, epsilon=0.03)
    x = unit(2 * 8, 16, seed=3).to(dtype)
    with torch.autocast('cpu', dtype):
        return loss, x, loss(x)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_loss_under_autocast_is_close_to_float32(dtype):
    loss, x, value = under_autocast(dtype)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(x.float()), rtol=2e-2, atol=0)


def test_frozen_prototypes_are_not_even_normalised():
    loss = GlobalSwAVLoss(16, num_prototypes=20)
    with torch.no_grad():
        loss.prototypes.weight.mul_(2)
    before = loss.prototypes.weight.detach().clone()
    loss.freeze_prototypes = True
    loss(unit(4, 16, seed=0))
    torch.testing.assert_close(
        loss.prototypes.weight.detach(), before, rtol=0, atol=0
    )
    loss.freeze_prototypes = False
    loss(unit(4, 16, seed=0))
    torch.testing.assert_close(loss.prototypes.weight.detach(), before / 2)


@pytest.mark.parametrize('length', [-1, 12.5, None])
def test_impossible_queue(length):
    with pytest.raises(InputError, match=f'queue_length={length}'):
        GlobalSwAVLoss(8, queue_length=length, num_prototypes=5)


def test_same_loss_as_upstream_on_one_rank():
    ours = GlobalSwAVLoss(
        16, num_prototypes=20, epsilon=0.03, num_crops=[2, 3]
    )
    theirs = SwAVLoss(16, num_prototypes=20, epsilon=0.03, num_crops=[2, 3])
    theirs.prototypes.load_state_dict(ours.prototypes.state_dict())
    x = unit(5 * 8, 16, seed=3)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_prototypes_start_on_the_unit_sphere():
    torch.manual_seed(0)
    weight = GlobalSwAVLoss(128, num_prototypes=4000).prototypes.weight
    torch.testing.assert_close(weight.norm(dim=1), torch.ones(4000))
    # Uniform: mean 0 and covariance I / 128.
    assert weight.mean(0).norm() < 0.05
    covariance = weight.t() @ weight / 4000
    torch.testing.assert_close(
        covariance, torch.eye(128) / 128, rtol=0, atol=1e-3
    )


def test_queue_fills_then_is_used_newest_first():
    loss = GlobalSwAVLoss(8, queue_length=6, num_prototypes=5)
    loss.use_queue = True
    batches = [unit(2 * 2, 8, seed=seed) for seed in range(5)]
    for step, batch in enumerate(batches):
        assert loss._fill == int(loss.queue_fill) == min(2 * step, 6)
        loss(batch)
    newest = torch.cat([batch[:2] for batch in batches[:1:-1]])
    torch.testing.assert_close(loss.queue[0], newest)
    newest = torch.cat([batch[2:] for batch in batches[:1:-1]])
    torch.testing.assert_close(loss.queue[1], newest)


def test_queue_is_in_the_state_and_its_fill_comes_back():
    loss = GlobalSwAVLoss(8, queue_length=4, num_prototypes=5)
    loss.use_queue = True
    loss(unit(4, 8, seed=0))
    again = GlobalSwAVLoss(8, queue_length=4, num_prototypes=5)
    again.load_state_dict(loss.state_dict())
    assert again._fill == 2
    torch.testing.assert_close(again.queue, loss.queue)


def test_queue_shorter_than_the_batch_is_an_error():
    loss = GlobalSwAVLoss(8, queue_length=3, num_prototypes=5)
    loss.use_queue = True
    with pytest.raises(InputError, match='queue_length 3 .* batch of 4'):
        loss(unit(8, 8, seed=0))


def test_one_number_of_prototypes():
    with pytest.raises(InputError, match='num_prototypes'):
        GlobalSwAVLoss(8, num_prototypes=[5, 5])
