"""What several processes of one run say to each other."""

import time
from collections.abc import Callable
from typing import TypeVar

import torch.distributed as dist

from bm_plugins.errors import InputError

# Rank 0 may read for days while the others wait; in seconds.
PATIENCE = 7 * 24 * 3600
T = TypeVar('T')


def rank_and_size() -> tuple[int, int]:
    """This process's rank, and how many there are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def from_first(function: Callable[[], T]) -> T:
    """What a function gives in rank 0, or the error it ends by.

    Args:
        function (Callable): Called in rank 0 alone.

    Raises:
        InputError: As in rank 0, or another process has ended.
    """
    rank, size = rank_and_size()
    result = error = None
    if rank == 0:
        try:
            result = function()
        except InputError as failure:
            error = failure
    if size > 1:
        said = [result, str(error) if error else None]
        _alive(dist.broadcast_object_list, said)
        if rank and said[1]:
            raise InputError(said[1])
        result = said[0]
    if error:
        raise error
    return result


def wait_for_all() -> None:
    """Go on when each process is here.

    Raises:
        InputError: Another one has ended.
    """
    if rank_and_size()[1] > 1:
        _alive(dist.barrier)


def _alive(collective: Callable, *args) -> None:
    try:
        collective(*args)
    except RuntimeError as error:
        # It says why, and the launcher then ends this one.
        time.sleep(30)
        raise InputError(
            'another process of this run has ended. The same command goes on.'
        ) from error
