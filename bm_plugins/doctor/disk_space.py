"""Room on the disk and in shared memory."""

import os
import shutil
from pathlib import Path

from .finding import OK, PROBLEM, WARNING, Finding

SHARED = '/dev/shm'
GIB = 2**30


def check(data_root: str | None = None) -> list[Finding]:
    """Look at the working directory and at /dev/shm."""
    here = Path.cwd()
    return [
        check_disk(shutil.disk_usage(here).free, os.access(here, os.W_OK)),
        check_shared(
            shutil.disk_usage(SHARED).free if os.path.isdir(SHARED) else None
        ),
    ]


def check_disk(free: int, writable: bool) -> Finding:
    """Room for checkpoints, some 0.3 GB each of a ResNet-50, in bytes."""
    text = f'{free / GIB:.1f} GiB free here'
    if not writable:
        text = 'this folder is read-only: give each run a --work-dir.'
        return Finding(PROBLEM, 'disk', text)
    if free < GIB:
        text += ': a run would fill it. Make room, or give a --work-dir.'
        return Finding(PROBLEM, 'disk', text)
    if free < 10 * GIB:
        text += ': a few checkpoints of a ResNet-50. Make room for more.'
        return Finding(WARNING, 'disk', text)
    return Finding(OK, 'disk', text)


def check_shared(free: int | None) -> Finding:
    """Batches go from the loaders' processes to the trainer through it.

    ``free`` is in bytes; None: there is no such folder.
    """
    less = (
        'with loaders that have processes a run dies of a bus error. Start '
        'the container with --shm-size=8g, or set '
        'train_dataloader.num_workers=0.'
    )
    if free is None:
        return Finding(WARNING, 'shared memory', f'no {SHARED}: {less}')
    text = f'{free / GIB:.2f} GiB free in {SHARED}'
    if free < GIB:
        return Finding(WARNING, 'shared memory', f'{text}: {less}')
    return Finding(OK, 'shared memory', text)
