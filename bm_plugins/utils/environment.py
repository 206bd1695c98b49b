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
    *('mmcv-lite', 'scikit-learn', 'opencv-python'),
    *('opencv-python-headless', 'onnxruntime'),
)


# Files of a GPU's driver: NVIDIA's, AMD's and that of Windows' Linux.
_DRIVERS = ('/dev/nvidiactl', '/dev/kfd', '/dev/dxg')


def may_have_gpu() -> bool:
    """Whether torch is worth asking, which takes seconds to import."""
    return any(Path(file).exists() for file in _DRIVERS)


def machine() -> dict:
    """Processor, memory, GPUs and versions, for a report.

    Returns:
        dict: ``processor``, ``cores`` that this process may use,
        ``memory_gib``, ``gpu`` (name; None where there is none), ``gpus``,
        ``gpu_memory_gib`` (of one), ``system``, ``python`` and ``versions``
        of what is installed.
    """
    gpus = 0
    if may_have_gpu():
        import torch

        gpus = torch.cuda.device_count()
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
        versions=versions(PACKAGES),
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
