"""The length of a training, said once."""

import math
from pathlib import Path

import pytest
from mmengine.hooks import Hook

from bm_plugins.engine.schedule_length import fit_schedule
from bm_plugins.errors import InputError
from tests.engine.resumable_runs import classifier

WARM_UP = dict(type='LinearLR', start_factor=0.01, end=1)
COSINE = dict(type='CosineAnnealingLR', eta_min=0)
KEY = 'train_cfg.max_epochs'


def ends(*schedulers, epochs=4, iters=40):
    fitted = fit_schedule(schedulers, epochs, iters, KEY)
    return [config['end'] for config in fitted]


def test_a_schedule_without_an_end_follows_the_training():
    assert ends(WARM_UP, dict(COSINE, begin=1)) == [1, 4]
    assert ends(dict(COSINE, by_epoch=False)) == [40]
    assert ends(dict(COSINE, T_max=4)) == [4]
    assert ends(dict(COSINE, T_max=3, begin=1, end=4)) == [4]
    assert ends(WARM_UP) == [1]  # then constant
    assert ends(dict(COSINE, end=2), dict(COSINE, begin=2)) == [2, 4]
    assert ends(dict(type='MultiStepLR', milestones=[2, 3])) == [4]


@pytest.mark.parametrize(
    ('scheduler', 'message'),
    [
        (dict(COSINE, end=120), r'param_scheduler.0 \(Cos.* ends after 120 e'),
        (dict(COSINE, end=3), 'ends after 3 epochs, but .* of 4 epochs'),
        (dict(COSINE, T_max=200), 'T_max=200'),
        (dict(COSINE, by_epoch=False, end=400), '400 iterations, .* of 40 it'),
        (dict(WARM_UP, end=5), 'ends after 5 epochs'),
        (dict(type='MultiStepLR', milestones=[2, 8]), 'the milestone 8'),
        (dict(type='OneCycleLR', eta_max=1, total_steps=9), 'total_steps=9'),
    ],
)
def test_another_length_names_both(scheduler, message):
    with pytest.raises(InputError, match=message) as error:
        ends(scheduler)
    assert KEY in str(error.value)


class NoteRates(Hook):
    def __init__(self):
        self.rates = []

    def before_train_iter(self, runner, *_, **__):
        group = runner.optim_wrapper.optimizer.param_groups[0]
        self.rates.append(group['lr'])


def run(cells, folder, epochs, **kwargs):
    """Learning rate of each iteration, and what the logs say."""
    note = NoteRates()
    classifier(
        cells,
        folder,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        param_scheduler=[
            dict(COSINE, by_epoch=True, convert_to_iter_based=True)
        ],
        custom_hooks=[note],
        **kwargs,
    ).train()
    logs = Path(folder).glob('*/*.log')
    return note.rates, ''.join(file.read_text() for file in logs)


def cosine(iteration, total, start=0.01):
    return start * (1 + math.cos(math.pi * iteration / total)) / 2


@pytest.mark.slow
def test_another_length_alone(cells, tmp_path):
    rates, _ = run(cells, tmp_path, 2)
    total = len(rates)
    expected = [cosine(i, total) for i in range(total)]
    assert rates == pytest.approx(expected)


@pytest.mark.slow
def test_resumed_for_longer_the_new_length_counts(cells, tmp_path):
    first, _ = run(cells, tmp_path, 1)
    last = (tmp_path / 'last_checkpoint').read_text()
    options = dict(load_from=last, resume=True)
    rates, log = run(cells, tmp_path, 3, **options)
    done, total = len(first), 3 * len(first)
    expected = [cosine(i, total) for i in range(done, total)]
    assert rates == pytest.approx(expected)
    assert f'was {done} steps long, that of this training is {total}' in log
    # and nothing is left to do
    last = (tmp_path / 'last_checkpoint').read_text()
    rates, log = run(cells, tmp_path, 3, load_from=last, resume=True)
    assert not rates and 'Nothing is left to train: 3 epochs' in log


@pytest.mark.slow
def test_resumed_with_classes_in_another_order(cells, tmp_path):
    run(cells, tmp_path, 1)
    last = (tmp_path / 'last_checkpoint').read_text()
    other = dict(classes=('LYT', 'BLA', 'ABE'), load_from=last)
    for options in (dict(resume=True), {}):
        with pytest.raises(InputError, match='BLA LYT ABE, .* LYT BLA ABE'):
            run(cells, tmp_path / 'other', 2, **other, **options)


def resumed(cells, folder, first, then):
    """Rates after a resume with other settings, and of a whole training."""
    classify(cells, folder / 'first', **first)
    at = dict(load_from=str(folder / 'first/epoch_2.pth'), resume=True)
    rates, log = classify(cells, folder / 'then', **then, **at)
    whole, _ = classify(cells, folder / 'whole', **then)
    return rates, whole[len(whole) - len(rates) :], log


def classify(cells, folder, **kwargs):
    note = NoteRates()
    every = dict(type='SafeCheckpointHook', interval=1)
    classifier(
        cells,
        folder,
        custom_hooks=[note],
        default_hooks=dict(checkpoint=every),
        **kwargs,
    ).train()
    logs = Path(folder).glob('*/*.log')
    return note.rates, ''.join(file.read_text() for file in logs)


STEPS = dict(COSINE, by_epoch=True, convert_to_iter_based=True)
LOWER = dict(optimizer=dict(type='AdamW', lr=0.001, weight_decay=1e-2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ('first', 'then', 'said'),
    [
        ([STEPS], [dict(STEPS, eta_min=5e-3)], 'param_scheduler'),
        ([dict(type='MultiStepLR', milestones=[1])], [STEPS], 'schedule'),
        (
            [dict(type='MultiStepLR', milestones=[1, 2])],
            [dict(type='MultiStepLR', milestones=[2])],
            'param_scheduler',
        ),
        (None, [STEPS], 'param_scheduler'),
        ([STEPS], None, 'lr'),
    ],
)
def test_resumed_with_another_schedule_it_applies(
    cells, tmp_path, first, then, said
):
    first, then = (dict(param_scheduler=value) for value in (first, then))
    rates, whole, log = resumed(cells, tmp_path, first, then)
    assert rates and rates == pytest.approx(whole)
    assert said in log


@pytest.mark.slow
@pytest.mark.parametrize('schedule', [[STEPS], None])
def test_resumed_with_a_lower_rate_it_applies(cells, tmp_path, schedule):
    first = dict(param_scheduler=schedule)
    then = dict(first, optim_wrapper=LOWER)
    rates, whole, log = resumed(cells, tmp_path, first, then)
    assert rates and rates == pytest.approx(whole)
    assert 'trained with other settings (lr' in log


@pytest.mark.slow
def test_resumed_with_one_cycle(cells, tmp_path):
    cycle = dict(type='OneCycleLR', eta_max=0.1, total_steps=3)
    same = dict(param_scheduler=[dict(cycle, convert_to_iter_based=True)])
    rates, whole, log = resumed(cells, tmp_path, same, same)
    assert rates and rates == whole
    assert 'other settings' not in log


def test_epochs_of_a_training_by_iterations_are_refused():
    with pytest.raises(InputError, match='counts epochs, .* by_epoch=False'):
        fit_schedule([COSINE], None, 40, 'train_cfg.max_iters')
    fit_schedule([dict(COSINE, by_epoch=False)], None, 40, KEY)


def test_milestones_count_from_the_beginning_of_the_schedule():
    late = dict(type='MultiStepLR', begin=2, milestones=[2])
    with pytest.raises(InputError, match='milestone 2 and begins after 2'):
        ends(late)
    assert ends(dict(late, milestones=[1])) == [4]
