"""Killed and signalled runs of tools/train.py on one and two processes."""

import os
import signal

import pytest

from tests import forked_runs
from tests.engine.resumable_runs import assert_equal, states
from tests.forked_runs import statuses, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def train(cells):
    """Start a run, of which nothing outlives the test."""
    started = []

    def start(folder, world_size, *args):
        pids = forked_runs.start(folder, world_size, cells, *args)
        started.extend(pids)
        return pids

    yield start
    forked_runs.end(started)


@pytest.mark.parametrize('world_size', [1, 2])
def test_killed_and_signalled_runs_equal_one_that_never_stopped(
    train, tmp_path, world_size
):
    whole = tmp_path / 'whole'
    assert statuses(train(whole, world_size)) == [0] * world_size
    for number, at in ((signal.SIGKILL, 4), (signal.SIGTERM, 2)):
        cut = tmp_path / str(number)
        pids = train(cut, world_size)
        wait_for(cut / f'iter_{at}.pth')
        for pid in pids if number == signal.SIGKILL else pids[-1:]:
            os.kill(pid, number)
        expected = -9 if number == signal.SIGKILL else os.EX_TEMPFAIL
        assert statuses(pids) == [expected] * world_size
        assert not (cut / 'iter_12.pth').exists()
        pids = train(cut, world_size, '--resume')
        assert statuses(pids) == [0] * world_size
        assert_equal(states(cut), states(whole))


def test_resumed_on_twice_the_processes(train, tmp_path):
    """The queue and the order of the data are those of one process."""
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    assert statuses(train(whole, 1)) == [0]
    pids = train(cut, 1)
    wait_for(cut / 'iter_6.pth')
    os.kill(pids[0], signal.SIGKILL)
    statuses(pids)
    assert statuses(train(cut, 2, '--resume')) == [0, 0]
    one, two = states(whole)['state_dict'], states(cut)['state_dict']
    assert one.keys() == two.keys()
    for key, value in one.items():
        difference = (two[key] - value).float().norm()
        assert difference <= 1e-2 * value.float().norm() + 1e-3, key
