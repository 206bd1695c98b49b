"""Runs of tools/train.py in forked processes, which start at once."""

import os
import signal
import socket
import time

from mmengine.logging import MMLogger

from bm_plugins import cli

# A tiny run of 12 iterations over the queue's start and the prototypes' thaw.
OPTIONS = [
    'train_dataloader.num_workers=1',
    'model.backbone.norm_cfg.type=SyncBN',
    'model.head.loss.queue_length=32',
    'model.head.loss.num_prototypes=20',
    'model.head.loss.queue_start_epoch=1',
    'model.head.loss.freeze_prototypes_epochs=2',
    'default_hooks.checkpoint.by_epoch=False',
    'default_hooks.checkpoint.interval=2',
    'train_cfg.max_epochs=4',
]


def start(folder, world_size, data_root, *args, options=()):
    """Train with global batches of 16 by configs/swav_tiny_bm.py.

    Returns:
        list[int]: The process of each rank. What they print goes to
        ``<folder>.log``.
    """
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = listener.getsockname()[1]
    batch = f'train_dataloader.batch_size={16 // world_size}'
    arguments = ['configs/swav_tiny_bm.py', '--work-dir', str(folder), *args]
    arguments += ['--cfg-options', *OPTIONS, batch, *options]
    environment = dict(BM_DATA_ROOT=str(data_root))
    if world_size > 1:
        arguments += ['--launcher', 'pytorch']
        environment.update(
            WORLD_SIZE=str(world_size),
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=str(port),
        )
    return [
        _fork(f'{folder}.log', arguments, environment, rank)
        for rank in range(world_size)
    ]


def _fork(log, arguments, environment, rank):
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        os.environ.update(environment)
        if 'WORLD_SIZE' in environment:
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
        MMLogger._instance_dict.clear()  # those of earlier runs
        cli.main(['train', *arguments])
        status = 0
    except SystemExit as end:
        status = end.code
    finally:
        os._exit(status)


def statuses(pids):
    """Wait for the processes: exit status of each, or minus its signal."""
    return [os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in pids]


def end(pids):
    """Kill what is left of them."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def wait_for(file, seconds=120):
    """Until the file is there."""
    limit = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < limit, f'{file} has not come'
        time.sleep(0.01)
