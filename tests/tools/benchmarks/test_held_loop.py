import pytest
from benchmarks.held_loop import RepeatedSampler
from mmengine.dataset import DefaultSampler

from tests.engine.tiny_runs import steps, tiny_run


def test_epochs_are_so_many_passes():
    sampler = RepeatedSampler(range(5), times=3, seed=1)
    drawn = list(sampler)
    assert len(sampler) == len(drawn) == 15
    passes = [drawn[i : i + 5] for i in range(0, 15, 5)]
    assert [sorted(indices) for indices in passes] == [[0, 1, 2, 3, 4]] * 3
    assert passes[0] == list(DefaultSampler(range(5), seed=1))
    assert passes[0] != passes[1]


@pytest.mark.slow
def test_a_run_goes_on_by_steps_through_its_epochs(cells, tmp_path):
    runner = tiny_run('swav_tiny_bm', cells, tmp_path, **steps(3))
    kind = 'mmpretrain.HeldTrainLoop'
    runner._train_loop = dict(type=kind, max_epochs=1)
    runner.train()
    assert runner.iter == 0
    weight = runner.model.backbone.conv1.weight
    seen = []
    for count in (2, 3):
        runner.train_loop.advance(count)
        seen.append(weight.sum().item())
    assert (runner.iter, runner.epoch) == (5, 1)
    assert seen[0] != seen[1]
