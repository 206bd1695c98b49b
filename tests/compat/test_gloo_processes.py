import os
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from bm_plugins.compat.gloo_processes import init_gloo, wrap_cpu_model
from bm_plugins.errors import InputError


@pytest.mark.parametrize(
    'launcher,expected',
    [
        ('pytorch', 'RANK.*dist_train.sh'),
        ('slurm', 'SLURM_PROCID.*slurm_train.sh'),
        ('mpi', 'mpi needs GPUs'),
    ],
)
def test_launcher_needs_its_variables(launcher, expected, monkeypatch):
    for name in ('RANK', 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=expected):
        init_gloo(launcher)


def join_by_slurm(rank, port, folder):
    os.environ |= dict(
        SLURM_PROCID=str(rank),
        SLURM_NTASKS='2',
        SLURM_LOCALID=str(rank),
        SLURM_NODELIST='here',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=port,
    )
    init_gloo('slurm', timeout=60)
    assert (dist.get_rank(), dist.get_world_size()) == (rank, 2)
    model = wrap_cpu_model(nn.Linear(1, 1, bias=False))
    model(torch.tensor([[float(rank)]])).sum().backward()
    torch.save(model.module.weight.grad, f'{folder}/{rank}.pth')
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_slurm_tasks_average_their_gradients(tmp_path):
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = str(listener.getsockname()[1])
    args = ((port, tmp_path), 2)
    mp.start_processes(join_by_slurm, *args, start_method='fork')
    for rank in range(2):  # the inputs 0 and 1
        assert torch.load(tmp_path / f'{rank}.pth').item() == 0.5
