"""Killed and signalled runs of tools/train.py on one and two processes."""

import os
import signal
import socket
import sys
import time

import pytest
from mmengine.logging import MMLogger

from bm_plugins import cli
from tests.engine.resumable_runs import assert_equal, states

OPTIONS = [
    '--cfg-options',
    'train_dataloader.num_workers=1',
    'model.backbone.norm_cfg.type=SyncBN',
    'model.head.loss.queue_length=32',
    'model.head.loss.num_prototypes=20',
    'custom_hooks.0.queue_start_epoch=1',
    'custom_hooks.0.freeze_prototypes_epochs=2',
    'default_hooks.checkpoint.by_epoch=False',
    'default_hooks.checkpoint.interval=2',
    'train_cfg.max_epochs=4',
    'param_scheduler.1.end=4',
]


@pytest.fixture
def train(cells, tmp_path):
    """Start tools/train.py in forked processes: their ids."""
    started = []

    def run(folder, world_size, *args):
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            port = listener.getsockname()[1]
        options = [*OPTIONS, f'train_dataloader.batch_size={16 // world_size}']
        pids = []
        for rank in range(world_size):
            pid = os.fork()
            if pid == 0:
                log = os.open(folder.parent / 'log', os.O_WRONLY | os.O_CREAT)
                os.dup2(log, 1)
                os.dup2(log, 2)
                os.environ.update(BM_DATA_ROOT=str(cells))
                launcher = ['--launcher', 'pytorch']
                if world_size == 1:
                    launcher = []
                else:
                    os.environ.update(
                        RANK=str(rank),
                        LOCAL_RANK=str(rank),
                        WORLD_SIZE=str(world_size),
                        MASTER_ADDR='127.0.0.1',
                        MASTER_PORT=str(port),
                    )
                MMLogger._instance_dict.clear()
                sys.argv = ['train.py', 'configs/swav_tiny_bm.py']
                sys.argv += [*args, '--work-dir', str(folder)]
                sys.argv += [*options, *launcher]
                status = 1
                try:
                    cli.run_upstream('train')
                    status = 0
                except SystemExit as end:
                    status = end.code
                finally:
                    os._exit(status)
            pids.append(pid)
        started.extend(pids)
        return pids

    yield run
    for pid in started:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def statuses(pids):
    return [os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in pids]


def wait_for(file):
    end = time.monotonic() + 120
    while not file.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


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
