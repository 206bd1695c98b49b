"""Fixtures: several real processes, small data sets, the command line."""

import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

ROOT = Path(__file__).resolve().parents[1]
torch.set_num_threads(1)


def _join_and_call(rank, world_size, store, function, args):
    os.environ['RANK'] = os.environ['LOCAL_RANK'] = str(rank)
    os.environ['WORLD_SIZE'] = str(world_size)
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo',
        init_method=f'file://{store}',
        rank=rank,
        world_size=world_size,
    )
    function(*args)
    dist.destroy_process_group()


@pytest.fixture
def run_ranks(tmp_path_factory):
    """Call a module's function in gloo processes: run(function, 2, *args)."""

    def run(function, world_size, *args):
        store = tmp_path_factory.mktemp('gloo') / 'store'
        mp.spawn(
            _join_and_call, (world_size, store, function, args), world_size
        )

    return run
