"""Several processes: their start, and that they reach each other."""

import multiprocessing
import os
import tempfile
import warnings
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch.distributed as dist

from bm_plugins.errors import first_line

from .finding import OK, PROBLEM, Finding

SECONDS = 30


def check(data_root: str | None = None) -> list[Finding]:
    """Start processes both ways; let two of them add up a number."""
    return [*check_starts(), check_gloo()]


def check_starts(work: Callable[[], object] = os.getpid) -> list[Finding]:
    """Start a process by fork (loaders) and by spawn, to do ``work``."""
    findings = []
    for method in ('fork', 'spawn'):
        process = _start(method, work)
        process.join(SECONDS)
        if process.exitcode:
            text = (
                f'a process started by {method} ended with status '
                f'{process.exitcode}. Raise the limits (ulimit -u), or set '
                'num_workers=0 in the dataloaders.'
            )
            findings.append(Finding(PROBLEM, 'processes', text))
        elif process.exitcode is None:
            process.kill()
            text = f'one started by {method} hangs. Set num_workers=0.'
            findings.append(Finding(PROBLEM, 'processes', text))
    return findings or [Finding(OK, 'processes', 'start by fork and by spawn')]


def check_gloo() -> Finding:
    """Two processes sum 1 and 2 over gloo, as a run without a GPU does."""
    with tempfile.TemporaryDirectory() as folder:
        ends, processes = [], []
        for rank in range(2):
            mine, theirs = multiprocessing.Pipe(duplex=False)
            store = str(Path(folder, 'store'))
            processes.append(_start('fork', _add_up, rank, store, theirs))
            theirs.close()
            ends.append(mine)
        said = [_answer(end) for end in ends]
        for process in processes:
            process.join(1)
            process.kill()
    if said == [3.0, 3.0]:
        return Finding(OK, 'gloo', 'two processes reach each other')
    wrong = next(answer for answer in said if answer != 3.0)
    text = (
        f'two processes do not reach each other: {wrong}. Name the network '
        'interface, as by export GLOO_SOCKET_IFNAME=lo'
    )
    return Finding(PROBLEM, 'gloo', text)


def _start(
    method: str, target: Callable, *args: object
) -> multiprocessing.Process:
    process = multiprocessing.get_context(method).Process(
        target=target, args=args, daemon=True
    )
    with warnings.catch_warnings():
        # Python 3.12 on a fork beside threads: what loaders do, too.
        warnings.simplefilter('ignore', DeprecationWarning)
        process.start()
    return process


def _add_up(rank: int, store: str, answer: Connection) -> None:
    try:
        dist.init_process_group(
            'gloo',
            init_method=f'file://{store}',
            rank=rank,
            world_size=2,
            timeout=timedelta(seconds=SECONDS),
        )
        number = torch.tensor(rank + 1.0)
        dist.all_reduce(number)
        answer.send(number.item())
        dist.destroy_process_group()
    except (RuntimeError, OSError) as error:
        answer.send(f'{type(error).__name__}: {first_line(error)}')


def _answer(end: Connection) -> object:
    if not end.poll(SECONDS):
        return f'no answer in {SECONDS} s'
    try:
        return end.recv()
    except EOFError:
        return 'it died'
