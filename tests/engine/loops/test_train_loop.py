import pytest
import torch
from mmengine.hooks import Hook

from bm_plugins.errors import InputError
from tests.engine.labelled_part import loader
from tests.engine.resumable_runs import (
    assert_equal,
    by_iteration,
    classifier,
    states,
    swav_with_averages,
)


class Power(Exception):
    """The power goes off."""


class PowerCut(Hook):
    """End the run in the middle of iteration ``at``."""

    priority = 'VERY_HIGH'

    def __init__(self, at):
        self.at = at

    def before_train_iter(self, runner, **_):
        if runner.iter == self.at:
            raise Power


@pytest.mark.slow
@pytest.mark.parametrize('build', [classifier, swav_with_averages])
@pytest.mark.parametrize('cut,every', [(7, 3), (8, 4), (11, 11), (4, 1)])
def test_resumed_run_equals_one_that_never_stopped(
    cells, tmp_path, whole_run, build, cut, every
):
    runner = build(cells, tmp_path, default_hooks=by_iteration(every))
    runner.register_hook(PowerCut(cut))
    with pytest.raises(Power):
        runner.train()
    resumed = build(
        cells, tmp_path, default_hooks=by_iteration(every), resume=True
    )
    resumed.train()
    assert resumed.iter == 12
    assert_equal(states(tmp_path), whole_run(build, by_iteration(3)))


@pytest.mark.slow
def test_workers_change_no_draw(cells, tmp_path):
    for workers in (0, 1, 2):
        folder = tmp_path / str(workers)
        classifier(cells, folder, workers).train()
    assert_equal(states(tmp_path / '1'), states(tmp_path / '0'))
    assert_equal(states(tmp_path / '2'), states(tmp_path / '0'))


def test_draws_differ_from_one_iteration_to_the_next(cells, tmp_path):
    seen = []

    class Watch(Hook):
        def before_train_iter(self, runner, **_):
            seen.append(torch.rand(1).item())

    runner = classifier(cells, tmp_path)
    runner.register_hook(Watch())
    runner.train()
    assert len(set(seen)) == 12


class Batches(Hook):
    """What came in each iteration."""

    def __init__(self):
        self.seen = {}

    def before_train_iter(self, runner, batch_idx, data_batch):
        total = data_batch['inputs'].double().sum().item()
        self.seen[runner.iter] = batch_idx, total


@pytest.mark.slow
def test_batch_samplers_of_others_skip_what_was_there(cells, tmp_path):
    """torch's own batches, whose order is a function of the epoch too."""

    def build(work_dir, **kwargs):
        runner = classifier(
            cells, work_dir, default_hooks=by_iteration(2), **kwargs
        )
        settings = runner._train_dataloader
        del settings['batch_sampler']
        settings['dataset']['pipeline'] = [
            dict(type='LoadCellImage'),
            dict(type='Resize', scale=16),
            dict(type='PackInputs'),
        ]
        batches = Batches()
        runner.register_hook(batches)
        return runner, batches.seen

    whole, expected = build(tmp_path / 'whole')
    whole.train()
    runner, _ = build(tmp_path / 'cut')
    runner.register_hook(PowerCut(7))
    with pytest.raises(Power):
        runner.train()
    resumed, seen = build(tmp_path / 'cut', resume=True)
    resumed.train()
    assert seen == {i: expected[i] for i in range(6, 12)}


class Validations(Hook):
    def __init__(self):
        self.epochs = []

    def after_val_epoch(self, runner, **_):
        self.epochs.append(runner.epoch)


@pytest.mark.slow
def test_validation_that_a_kill_prevented_is_made_up(cells, tmp_path):
    def build(**kwargs):
        runner = classifier(
            cells,
            tmp_path,
            val_dataloader=loader(cells, 'val', 16, 9, ('BLA', 'LYT', 'ABE')),
            val_cfg=dict(),
            val_evaluator=dict(type='PerClassMetric'),
            train_cfg=dict(by_epoch=True, max_epochs=3, val_interval=2),
            default_hooks=dict(checkpoint=dict(type='SafeCheckpointHook')),
            **kwargs,
        )
        validations = Validations()
        runner.register_hook(validations)
        return runner, validations.epochs

    class CutBeforeValidation(Hook):
        def before_val(self, runner):
            raise Power

    runner, epochs = build()
    runner.register_hook(CutBeforeValidation())
    with pytest.raises(Power):
        runner.train()
    assert runner.epoch == 2
    resumed, epochs = build(resume=True)
    resumed.train()
    assert epochs == [2, 3]


def test_another_global_batch_says_why_not(cells, tmp_path):
    classifier(cells, tmp_path).train()
    runner = classifier(cells, tmp_path, resume=True)
    runner._train_dataloader['batch_size'] = 6
    with pytest.raises(
        InputError, match='batch of 9 .* run has 6 .*batch_size=9'
    ):
        runner.train()


def test_another_training_part_says_why_not(cells, tmp_path):
    classifier(cells, tmp_path).train()
    runner = classifier(cells, tmp_path, resume=True)
    runner._train_dataloader['sampler']['samples_per_class'] = 9
    with pytest.raises(InputError, match='4 batches an epoch, .* has 3'):
        runner.train()


@pytest.mark.slow
def test_sampler_takes_the_seed_of_the_checkpoint(cells, tmp_path):
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    classifier(cells, whole).train()
    runner = classifier(cells, cut, default_hooks=by_iteration(3))
    runner.register_hook(PowerCut(8))
    with pytest.raises(Power):
        runner.train()
    classifier(cells, cut, resume=True, randomness=dict(seed=5)).train()
    assert_equal(states(cut), states(whole))
