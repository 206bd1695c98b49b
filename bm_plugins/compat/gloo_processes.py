"""Several processes on a machine without a GPU.

Why: mmengine's launchers call ``torch.cuda.set_device`` and ask for NCCL, and
its ``Runner.wrap_model`` gives DDP device ids; each fails without a GPU.
mmengine leaves a process group alone that exists already, so one on gloo is
made beforehand.
"""

import os
import subprocess
from datetime import timedelta

import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from torch import nn

from bm_plugins.errors import InputError


def init_gloo(launcher: str, timeout: int = 1800) -> None:
    """Join this process's gloo group.

    Args:
        launcher (str): ``pytorch`` (torchrun's variables) or ``slurm``.
        timeout (int): Seconds that a collective may take.

    Raises:
        InputError: The launcher is another one, or its variables are unset.
    """
    if launcher == 'slurm':
        _read_slurm()
    elif launcher != 'pytorch':
        raise InputError(
            f'--launcher {launcher} needs GPUs; without one use '
            'tools/dist_train.sh (pytorch) or tools/slurm_train.sh (slurm).'
        )
    missing = [
        name
        for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
        if name not in os.environ
    ]
    if missing:
        raise InputError(
            f'--launcher {launcher}: the variables {", ".join(missing)} are '
            'not set. Start by tools/dist_train.sh or tools/slurm_train.sh.'
        )
    dist.init_process_group('gloo', timeout=timedelta(seconds=timeout))


def _read_slurm() -> None:
    """Set torchrun's variables from Slurm's."""
    try:
        os.environ['RANK'] = os.environ['SLURM_PROCID']
        os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']
        os.environ['LOCAL_RANK'] = os.environ['SLURM_LOCALID']
        nodes = os.environ['SLURM_NODELIST']
    except KeyError as error:
        raise InputError(
            f'--launcher slurm: {error.args[0]} is not set. Start by '
            'tools/slurm_train.sh or srun.'
        ) from error
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        hosts = subprocess.run(
            ['scontrol', 'show', 'hostnames', nodes],
            capture_output=True,
            text=True,
            check=True,
        )
        os.environ['MASTER_ADDR'] = hosts.stdout.split()[0]


def wrap_cpu_model(
    model: nn.Module, find_unused_parameters: bool = False
) -> MMDistributedDataParallel:
    """DDP over a model on the CPU, which takes no device ids."""
    return MMDistributedDataParallel(
        module=model,
        broadcast_buffers=False,
        find_unused_parameters=find_unused_parameters,
    )
