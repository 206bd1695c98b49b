"""Where something ran, and what is installed there."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from bm_plugins.errors import InputError

PACKAGES = (
    *('torch', 'torchvision', 'numpy', 'mmengine', 'mmpretrain', 'mmcv'),
    *('mmcv-lite', 'scikit-learn'),
)


def machine() -> dict:
    """Processor, memory, GPUs and versions, for a report.

    Returns:
        dict: ``processor``, ``cores`` that this process may use,
        ``memory_gib``, ``gpu`` (name; None where there is none), ``gpus``,
        ``gpu_memory_gib`` (of one), ``system``, ``python`` and ``versions``
        of what is installed.
    """
    import cv2
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    gpu_memory = None
    if gpus:
        total = torch.cuda.get_device_properties(0).total_memory
        gpu_memory = round(total / 2**30, 1)
    return dict(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(memory / 2**30, 1),
        gpu=torch.cuda.get_device_name() if gpus else None,
        gpus=gpus,
        gpu_memory_gib=gpu_memory,
        system=platform.platform(),
        python=platform.python_version(),
        versions=versions(PACKAGES) | {'opencv': cv2.__version__},
    )


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of those packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    for line in lines:
        if line.startswith('model name'):
            return line.partition(':')[2].strip()
    return platform.machine()


def need_packages(purpose: str, *names: str) -> None:
    """Make sure that optional packages are installed.

    Args:
        purpose (str): What needs them, for the error.
        *names (str): As they are imported and installed.

    Raises:
        InputError: One is missing.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise InputError(
            f'{purpose} needs packages that are not installed: '
            f'pip install {" ".join(missing)}'
        )
