"""GPUs, and the library by which they reach each other."""

import shutil
import subprocess
import warnings
from pathlib import Path

import torch
import torch.distributed as dist

from .finding import OK, PROBLEM, WARNING, Finding


def check(data_root: str | None = None) -> list[Finding]:
    """Name the GPUs; without one, find out whether there should be."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # a driver that is too old: said here
        usable = torch.cuda.is_available()
    if not usable:
        return [without(torch.version.cuda, driver())]
    found = [_describe(n) for n in range(torch.cuda.device_count())]
    return found + [_check_nccl()]


def without(built_for: str | None, driver_version: str | None) -> Finding:
    """Why torch, built for a CUDA version or none, sees no GPU.

    ``driver_version`` is that of NVIDIA's driver; None: there is none.
    """
    if driver_version is None:
        text = (
            'none: runs are on the CPU, which is enough for make demo and '
            'the *_tiny_* configs.'
        )
        return Finding(WARNING, 'GPU', text)
    if built_for is None:
        text = (
            f'the driver ({driver_version}) is there, but this torch is for '
            'the CPU. Install one for CUDA, as pytorch.org says.'
        )
    else:
        text = (
            f'the driver ({driver_version}) is there, but torch, built for '
            f'CUDA {built_for}, cannot use it. Update the driver, or unset '
            'CUDA_VISIBLE_DEVICES.'
        )
    return Finding(PROBLEM, 'GPU', text)


def driver() -> str | None:
    """Version of NVIDIA's driver; None where there is none."""
    if shutil.which('nvidia-smi'):
        command = ['nvidia-smi', '--query-gpu=driver_version']
        try:
            said = subprocess.run(
                [*command, '--format=csv,noheader'],
                capture_output=True,
                text=True,
                timeout=10,
            )
        except (OSError, subprocess.TimeoutExpired):
            return 'does not answer'
        if said.returncode == 0 and said.stdout.strip():
            return said.stdout.split()[0]
    file = Path('/proc/driver/nvidia/version')
    return file.read_text().splitlines()[0] if file.is_file() else None


def _describe(index: int) -> Finding:
    card = torch.cuda.get_device_properties(index)
    bf16 = card.major >= 8  # Ampere and later compute in it
    text = (
        f'{card.name}, {card.total_memory / 2**30:.0f} GiB, driver '
        f'{driver()}, bfloat16 {"yes" if bf16 else "no: use float16 (--amp)"}'
    )
    return Finding(OK, f'GPU {index}', text)


def _check_nccl() -> Finding:
    if not dist.is_nccl_available():
        text = 'torch has none: several GPUs need it. Install torch for CUDA.'
        return Finding(PROBLEM, 'NCCL', text)
    dist.init_process_group(
        'nccl', store=dist.HashStore(), rank=0, world_size=1
    )
    number = torch.ones(1, device='cuda')
    dist.all_reduce(number)
    dist.destroy_process_group()
    version = '.'.join(map(str, torch.cuda.nccl.version()))
    return Finding(OK, 'NCCL', f'{version} works on one GPU')
