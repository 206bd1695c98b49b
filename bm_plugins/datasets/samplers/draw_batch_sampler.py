"""Indices that know which draw they are.

Random augmentation is a function of (seed, epoch, position in the epoch,
view), so it depends neither on the number of workers or ranks nor on a
resume, and two showings of one image in an epoch differ. Persistent workers
keep their own copy of the dataset, so the draw has to travel with the index.
"""

import random
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmpretrain.registry import DATA_SAMPLERS
from torch.utils.data import Sampler


class DrawIndex(int):
    """A sample's index with its draw (seed, epoch, position)."""

    draw: tuple[int, int, int]

    def __new__(cls, index: int, draw: tuple[int, int, int]) -> 'DrawIndex':
        """Make the index of draw ``(seed, epoch, position)``."""
        self = super().__new__(cls, index)
        self.draw = draw
        return self

    def __getnewargs__(self) -> tuple:
        return int(self), self.draw


def seed_generators(*key: int) -> None:
    """Make what Python, numpy and torch draw next a function of ``key``.

    Args:
        *key (int): Numbers from 0 that tell one use from another.
    """
    words = np.random.SeedSequence(key).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(words[1:3])
    # torch.manual_seed would write down the stack for each kind of device that
    # is not in use, which takes longer than to read an image.
    torch.default_generator.manual_seed(int(words[3]))
    if torch.cuda.is_initialized():  # never in a worker
        torch.cuda.manual_seed_all(int(words[3]))


def draws_globally(transforms: Iterable) -> bool:
    """Whether a transform may use the global generators, as others' do."""
    return any(getattr(step, 'draws_globally', True) for step in transforms)


@DATA_SAMPLERS.register_module()
class DrawBatchSampler(Sampler):
    """Batches of :class:`DrawIndex` from any sampler that stripes ranks.

    The i-th index of rank r of w ranks is position i·w + r of the epoch, as
    in :class:`mmengine.dataset.DefaultSampler`.

    Args:
        sampler (Sampler): Yields this rank's indices; has ``epoch`` and
            ``seed``.
        batch_size (int): Samples a batch of this rank.
        drop_last (bool): Leave out an incomplete last batch. Defaults to
            False.

    Attributes:
        first_batch (int): Batch that the next iteration starts with, for a
            resume within an epoch; then 0 again.
    """

    def __init__(
        self, sampler: Sampler, batch_size: int, drop_last: bool = False
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.first_batch = 0

    def __iter__(self) -> Iterator[list[DrawIndex]]:
        rank, world_size = get_dist_info()
        seed, epoch = self.sampler.seed, self.sampler.epoch
        first, self.first_batch = self.first_batch, 0
        indices = (
            DrawIndex(index, (seed, epoch, i * world_size + rank))
            for i, index in enumerate(self.sampler)
        )
        indices = islice(indices, first * self.batch_size, None)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        """Batches an epoch of this rank."""
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full if self.drop_last or not rest else full + 1
