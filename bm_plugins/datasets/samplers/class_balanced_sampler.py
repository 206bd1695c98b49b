"""Each class equally often in an epoch."""

from collections.abc import Iterator

import numpy as np
from mmengine.dist import get_dist_info, is_main_process, sync_random_seed
from mmengine.logging import print_log
from mmpretrain.registry import DATA_SAMPLERS
from torch.utils.data import Dataset, Sampler

from bm_plugins.errors import InputError


@DATA_SAMPLERS.register_module()
class ClassBalancedSampler(Sampler):
    """An epoch of N = C · N_c: each class present is seen N_c times.

    "Beyond Labels: Visual Representations for Bone Marrow Cell Morphology
    Recognition", balanced sampling. A class is drawn without repeats as far
    as it reaches, then again in a fresh random order. The epoch's order is a
    function of seed and epoch alone; rank r of w takes positions r, r + w,
    ..., so the ranks are disjoint and together exactly the epoch. Where w
    does not divide N, the last ranks have one sample less.

    Args:
        dataset (Dataset): Has ``get_gt_labels()`` and ``metainfo['classes']``.
        samples_per_class (int, optional): N_c.
        epoch_length (int, optional): N to come near to, where N_c is not
            given. Defaults to the length of the data set.
        balance_batches (bool): Any C consecutive draws from the start of a
            round hold each of the C classes once, so that a batch, over all
            ranks, does nearly. Defaults to False: a random order.
        require_all (bool): Absent classes are an error. Defaults to False:
            they are named in the log.
        seed (int, optional): Defaults to a random one, the same on all ranks.

    Raises:
        InputError: Both lengths are given or one is not positive; the data
            set has no labels; a class is absent under ``require_all``.
    """

    def __init__(
        self,
        dataset: Dataset,
        samples_per_class: int | None = None,
        epoch_length: int | None = None,
        balance_batches: bool = False,
        require_all: bool = False,
        seed: int | None = None,
    ) -> None:
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.balance_batches = balance_batches
        if samples_per_class is not None and epoch_length is not None:
            raise InputError(
                'give samples_per_class or epoch_length, not both.'
            )
        for name, value in (
            ('samples_per_class', samples_per_class),
            ('epoch_length', epoch_length),
        ):
            if value is not None and value < 1:
                raise InputError(f'{name}={value}: expected 1 or more.')
        labels = np.asarray(dataset.get_gt_labels())[: len(dataset)]
        codes = dataset.metainfo['classes']
        # Small integers are sorted by radix, in linear time.
        small = labels.astype(np.min_scalar_type(len(codes)))
        order = small.argsort(kind='stable').astype(np.int32)
        counts = np.bincount(small, minlength=len(codes))
        self.members = [
            part for part in np.split(order, counts.cumsum()[:-1]) if len(part)
        ]
        if absent := [c for c, n in zip(codes, counts, strict=True) if not n]:
            message = f'classes without a training image: {" ".join(absent)}'
            if require_all:
                raise InputError(f'{message}; require_all=True wants them.')
            if is_main_process():
                print_log(f'{message}; they are not drawn.', 'current')
        present = len(self.members)
        if not present:
            raise InputError('ClassBalancedSampler: the data set is empty.')
        self.samples_per_class = samples_per_class or max(
            1, round((epoch_length or len(labels)) / present)
        )

    def draw(self, epoch: int) -> np.ndarray:
        """The whole epoch in order.

        Returns:
            np.ndarray: Indices (C · N_c,), int32.
        """
        rng = np.random.default_rng((self.seed, epoch))
        parts = []
        for members in self.members:
            passes, rest = divmod(self.samples_per_class, len(members))
            parts += [rng.permutation(members) for _ in range(passes)]
            if rest:
                parts.append(rng.permutation(members)[:rest])
        drawn = np.concatenate(parts)
        if self.balance_batches:  # a round after the other, of each class one
            rounds = drawn.reshape(len(self.members), -1).T
            return rng.permuted(rounds, axis=1).ravel()
        rng.shuffle(drawn)
        return drawn

    def __iter__(self) -> Iterator[int]:
        # The others' share goes, so that a rank holds 4 bytes a sample.
        drawn = self.draw(self.epoch)[self.rank :: self.world_size].copy()
        return _as_ints(drawn)

    def __len__(self) -> int:
        """Samples of this rank in an epoch."""
        total = len(self.members) * self.samples_per_class
        return (total - self.rank + self.world_size - 1) // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration draws."""
        self.epoch = epoch


def _as_ints(drawn: np.ndarray) -> Iterator[int]:
    """Python's own numbers, made a few at a time: they take 40 bytes each."""
    for start in range(0, len(drawn), 4096):
        yield from drawn[start : start + 4096].tolist()
