import pickle

import numpy as np
import pytest
import torch
from mmcv.transforms import RandomFlip
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader, Dataset

from bm_plugins.datasets.samplers.draw_batch_sampler import (
    DrawBatchSampler,
    DrawIndex,
    draws_globally,
    seed_generators,
)
from bm_plugins.datasets.transforms import LoadCellImage, PackViews


class Draws(Dataset):
    """Returns the index and the draw it came with."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return int(index), index.draw


def batches(batch_size=4, drop_last=False, epoch=0, workers=0):
    sampler = DefaultSampler(Draws(), shuffle=True, seed=3)
    sampler.set_epoch(epoch)
    batch_sampler = DrawBatchSampler(sampler, batch_size, drop_last)
    loader = DataLoader(
        Draws(),
        batch_sampler=batch_sampler,
        num_workers=workers,
        collate_fn=list,
    )
    assert len(loader) == len(batch_sampler)
    return list(loader)


def test_index_is_an_int_and_survives_pickling():
    index = DrawIndex(7, (0, 1, 2))
    again = pickle.loads(pickle.dumps(index))
    assert again == 7 and again.draw == (0, 1, 2)
    assert list(range(9))[index] == 7


@pytest.mark.parametrize('workers', [0, 2])
def test_positions_count_through_the_epoch(workers):
    drawn = [item for batch in batches(workers=workers) for item in batch]
    assert sorted(index for index, _ in drawn) == list(range(10))
    assert [draw for _, draw in drawn] == [(3, 0, i) for i in range(10)]


def test_epoch_is_in_the_draw():
    assert batches(epoch=5)[0][0][1] == (3, 5, 0)


@pytest.mark.parametrize(
    'drop_last,sizes', [(False, [4, 4, 2]), (True, [4, 4])]
)
def test_last_batch(drop_last, sizes):
    assert [len(b) for b in batches(drop_last=drop_last)] == sizes


def save_positions(folder):
    import torch

    rank = torch.distributed.get_rank()
    torch.save(batches(batch_size=2), f'{folder}/{rank}.pth')


def test_two_ranks_share_the_epoch(run_ranks, tmp_path):
    import torch

    run_ranks(save_positions, 2, tmp_path)
    ranks = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    alone = {draw[2]: index for batch in batches() for index, draw in batch}
    together = {
        draw[2]: index
        for rank in ranks
        for batch in rank
        for index, draw in batch
    }
    assert together == alone


def test_torchs_draws_are_those_of_its_own_seeding():
    seed_generators(3, 4, 5)
    drawn = torch.rand(4), torch.randperm(9)
    words = np.random.SeedSequence((3, 4, 5)).generate_state(4)
    torch.manual_seed(int(words[3]))
    assert torch.equal(drawn[0], torch.rand(4))
    assert torch.equal(drawn[1], torch.randperm(9))


def test_transforms_of_others_may_use_the_global_generators():
    ours = [LoadCellImage(), PackViews()]
    assert not draws_globally(ours)
    assert draws_globally([*ours, RandomFlip(prob=0.5)])
