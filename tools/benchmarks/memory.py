"""How much memory something takes, in a process of its own."""

import ctypes
import gc
import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

import torch


def peak_mb(function: Callable[[], object]) -> float:
    """What a call adds to the memory of its process at its height.

    Linux alone: the peak is read from ``/proc``.

    Args:
        function (Callable): What to call, in a forked process.

    Returns:
        float: Growth of the resident set in MB (1e6 bytes).
    """
    context = multiprocessing.get_context('fork')
    here, there = context.Pipe()
    process = context.Process(target=_measure, args=(function, there))
    process.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        raise RuntimeError('the measured process failed; see above') from None
    finally:
        process.join()


def process_mb(*names: str) -> dict[str, float]:
    """Memory of this process, from ``/proc/self/smaps_rollup``.

    Args:
        *names (str): As ``Pss`` (shared pages by the number of their users),
            ``Private_Dirty``, ``Rss``.

    Returns:
        dict[str, float]: MB (1e6 bytes) by name.
    """
    with open('/proc/self/smaps_rollup') as stream:
        lines = [line.split() for line in stream]
    found = {line[0].rstrip(':'): line[1] for line in lines[1:]}
    return {name: int(found[name]) * 1024 / 1e6 for name in names}


def _measure(function: Callable[[], object], there: Connection) -> None:
    torch.set_num_threads(1)  # the parent's do not follow a fork
    gc.collect()
    with suppress(AttributeError):  # other C libraries than GNU's
        # What is freed but kept would hide what is allocated.
        ctypes.CDLL(None).malloc_trim(0)
    with open('/proc/self/clear_refs', 'w') as stream:
        stream.write('5')  # the peak starts anew
    before = _status('VmRSS')
    function()
    there.send(_status('VmHWM') - before)


def _status(name: str) -> float:
    with open('/proc/self/status') as stream:
        line = next(line for line in stream if line.startswith(f'{name}:'))
    return int(line.split()[1]) * 1024 / 1e6
