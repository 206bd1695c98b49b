"""Where a benchmark ran."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import cv2
import torch

PACKAGES = (
    'torch',
    'torchvision',
    'numpy',
    'mmengine',
    'mmpretrain',
    'mmcv-lite',
    'scikit-learn',
)


def machine() -> dict:
    """Processor, memory, GPU and versions, for the report.

    Returns:
        dict: ``processor``, ``cores``, ``memory_gib``, ``gpu`` (None where
        there is none), ``python`` and ``versions``.
    """
    gpu = torch.cuda.is_available()
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    versions = {name: version(name) for name in PACKAGES}
    return dict(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(memory / 2**30, 1),
        gpu=torch.cuda.get_device_name() if gpu else None,
        python=platform.python_version(),
        versions=versions | {'opencv': cv2.__version__},
    )


def _processor() -> str:
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return line.partition(':')[2].strip()
    return platform.machine()
