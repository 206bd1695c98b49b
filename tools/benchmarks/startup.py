"""What a user waits for before the first word."""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import torch
from mmpretrain.registry import MODELS

from bm_plugins import cli
from bm_plugins.apis.bundle.bundle import Bundle, Reference, Validation
from bm_plugins.apis.bundle.bundle_file import save_bundle
from bm_plugins.apis.bundle.bundle_model import BundleModel
from bm_plugins.apis.bundle.feature_graph import write_graph
from bm_plugins.datasets.synthetic.collection import encode_cell

CELLS = 20
HERE = Path(__file__).resolve().parents[2]
# Not meant for the command line, or this benchmark itself.
_NO_TOOLS = ('torchrun', 'benchmark')


def startup(against: str | Path, runs: int = 5) -> dict:
    """Processor time of whole commands, here and in another checkout.

    Args:
        against (str or Path): A checkout of another version, with its own
            ``tools``; run by this Python and its packages.
        runs (int): Timed calls of each, by turns. Defaults to 5.

    Returns:
        dict: By command ``ours_s`` and ``other_s``, median seconds of user
        and system time of the process and those that it starts, and
        ``ratio``, other over ours.
    """
    with tempfile.TemporaryDirectory() as folder:
        commands = _commands(Path(folder), Path(against))
        return {
            name: _compare(command, Path(against).resolve(), runs)
            for name, command in commands.items()
        }


def _commands(folder: Path, against: Path) -> dict[str, list[str]]:
    """Arguments of Python by what is timed."""
    bundle, cells = folder / 'tiny.bundle', folder / 'cells'
    save_bundle(tiny_bundle(), bundle)
    cells.mkdir()
    for number in range(1, CELLS + 1):
        (cells / f'{number}.jpg').write_bytes(encode_cell(0, 'NGS', number))
    helps = {
        f'{name} --help': [f'tools/{name}.py', '--help']
        for name in cli.tools()
        if name not in _NO_TOOLS and (against / f'tools/{name}.py').is_file()
    }
    out = ['--out', str(folder / 'out'), '--overwrite']
    return {
        'import bm_plugins': ['-c', 'import bm_plugins'],
        **helps,
        f'predict, {CELLS} cells, tiny bundle': [
            *('tools/predict.py', str(bundle), str(cells), *out)
        ],
        'doctor': ['-m', 'bm_plugins', 'doctor'],
    }


def _compare(command: list[str], other: Path, runs: int) -> dict:
    seconds: Mapping[Path, list[float]] = {HERE: [], other: []}
    for turn in range(runs + 1):
        for root, taken in seconds.items():
            before = _children()
            subprocess.run(
                [sys.executable, *command],
                cwd=root,
                env=dict(os.environ, PYTHONPATH=str(root)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=command[-1] != 'doctor',  # which may find a problem
            )
            if turn:  # the first warms the caches up
                taken.append(_children() - before)
    ours, theirs = map(median, seconds.values())
    return dict(ours_s=ours, other_s=theirs, ratio=theirs / ours)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tiny_bundle() -> Bundle:
    """Three classes, 64 features of random weights, inputs of 48 px."""
    torch.manual_seed(0)
    backbone = dict(
        type='ResNet_CIFAR',
        depth=18,
        stem_channels=8,
        base_channels=8,
        strides=[2, 2, 2, 2],
    )
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    model = BundleModel(MODELS.build(dict(backbone)), mean, std, 64, 3).eval()
    labels = torch.arange(30) % 3
    return Bundle(
        classes=('BLA', 'LYT', 'NGS'),
        full_names=('Blasts', 'Lymphocytes', 'Segmented neutrophils'),
        backbone=backbone,
        weights={k: v.numpy() for k, v in model.state_dict().items()},
        size=(48, 48),
        interpolation='area',
        mean=mean,
        std=std,
        temperature=1.0,
        validation=Validation(
            torch.randn(30, 3).numpy(), labels.numpy(), torch.rand(30).numpy()
        ),
        reference=Reference(
            torch.randn(30, 64).numpy(),
            labels.numpy(),
            tuple(f'{i}.jpg' for i in range(30)),
            (encode_cell(0, 'BLA', 1),) * 30,
        ),
        info=dict(method='random weights'),
        card='# A tiny bundle\n',
        graph=write_graph(model, (48, 48)),
    )
