"""An epoch of a class-balanced sampler."""

from collections import deque
from collections.abc import Iterable

import numpy as np
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import WeightedRandomSampler

from bm_plugins.datasets import ClassBalancedSampler
from bm_plugins.datasets.matek_classes import CLASSES, SUPPORTS

from .memory import peak_mb
from .timing import compare


class Labels:
    """A data set that is nothing but its labels.

    Args:
        entries (int): Number N of them, in the release's shares of classes.
    """

    metainfo = dict(classes=CLASSES)

    def __init__(self, entries: int) -> None:
        shares = np.cumsum(SUPPORTS) / sum(SUPPORTS)
        ends = (shares * entries).round().astype(int)
        counts = np.diff(ends, prepend=0)
        self.labels = np.repeat(np.arange(len(CLASSES)), counts)

    def get_gt_labels(self) -> np.ndarray:
        """Labels (N,)."""
        return self.labels

    def __len__(self) -> int:
        return len(self.labels)


def sampler(entries: int, runs: int = 5) -> dict:
    """Build a sampler and go through an epoch of it.

    Stock is torch's WeightedRandomSampler with one over the class's size as
    weight, what mmengine's users take to balance classes (mmpretrain has no
    such sampler); it draws with replacement and knows no ranks. Beside it,
    without balance, mmengine's DefaultSampler.

    Args:
        entries (int): Images N of the data set and of the epoch, below 2^24,
            which is WeightedRandomSampler's limit.
        runs (int): Timed epochs of each. Defaults to 5.

    Returns:
        dict: As :func:`compare`, with ``peak_mb`` beside the times.
    """
    cells = Labels(entries)

    def stock() -> None:
        labels = torch.from_numpy(cells.get_gt_labels())
        weights = 1 / torch.bincount(labels).double()
        _go_through(WeightedRandomSampler(weights[labels], len(cells)))

    sides = {
        'ours': lambda: _go_through(ClassBalancedSampler(cells, seed=0)),
        'stock': stock,
        'DefaultSampler, not balanced': lambda: _go_through(
            DefaultSampler(cells, seed=0)
        ),
    }
    what = f'an epoch of {entries:,} indices, {len(CLASSES)} classes'
    result = compare(what, sides, entries, runs)
    for name, side in sides.items():
        result['sides'][name]['peak_mb'] = peak_mb(side)
    return result


def _go_through(indices: Iterable[int]) -> None:
    deque(indices, maxlen=0)
