import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from mmengine.hooks import Hook

from bm_plugins.compat.safe_loading import load
from bm_plugins.errors import Preempted
from tests.engine.resumable_runs import (
    assert_equal,
    classifier,
    states,
    swav_with_averages,
)

pytestmark = pytest.mark.slow

HOOKS = dict(
    checkpoint=dict(type='SafeCheckpointHook', interval=2),
    preemption=dict(type='PreemptionHook'),
)


class Signal(Hook):
    """SIGTERM for this process in the middle of iteration ``at``."""

    def __init__(self, at):
        self.at = at

    def before_train_iter(self, runner, **_):
        if runner.iter == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize('build', [classifier, swav_with_averages])
@pytest.mark.parametrize('at', [1, 7, 9])
def test_saves_after_the_step_and_goes_on(
    cells, tmp_path, whole_run, build, at
):
    handler = signal.getsignal(signal.SIGTERM)
    runner = build(cells, tmp_path, default_hooks=HOOKS)
    runner.register_hook(Signal(at))
    with pytest.raises(Preempted, match=f'after iteration {at + 1}; saved'):
        runner.train()
    assert signal.getsignal(signal.SIGTERM) == handler
    last = (tmp_path / 'last_checkpoint').read_text()
    assert last == str(tmp_path / 'interrupted.pth')
    assert load(last)['meta']['iter'] == at + 1
    build(cells, tmp_path, default_hooks=HOOKS, resume=True).train()
    assert_equal(states(tmp_path), whole_run(build, HOOKS))
    assert not Path(last).exists()


def test_waits_for_the_end_of_an_accumulation(cells, tmp_path):
    optim_wrapper = dict(
        optimizer=dict(type='SGD', lr=0.1), accumulative_counts=4
    )
    settings = dict(default_hooks=HOOKS, optim_wrapper=optim_wrapper)
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    classifier(cells, whole, **settings).train()
    runner = classifier(cells, cut, **settings)
    runner.register_hook(Signal(5))
    with pytest.raises(Preempted, match='after iteration 8;'):
        runner.train()
    classifier(cells, cut, resume=True, **settings).train()
    assert_equal(states(cut), states(whole))


class SignalWorkers(Hook):
    """SIGTERM for the workers of the data loader, from another process."""

    def __init__(self):
        self.others = set(multiprocessing.active_children())
        self.signalled = set()

    def before_train_iter(self, runner, **_):
        if runner.iter == 2:
            children = set(multiprocessing.active_children())
            self.signalled = children - self.others
            pid = os.fork()
            if pid == 0:
                for worker in self.signalled:
                    os.kill(worker.pid, signal.SIGTERM)
                os._exit(0)
            os.waitpid(pid, 0)


def test_workers_outlive_a_signal_to_all_of_a_step(cells, tmp_path):
    runner = classifier(cells, tmp_path, workers=2, default_hooks=HOOKS)
    hook = SignalWorkers()
    runner.register_hook(hook)
    runner.train()
    assert len(hook.signalled) == 2
    assert runner.iter == 12
