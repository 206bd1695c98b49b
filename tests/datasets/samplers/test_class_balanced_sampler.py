from collections import Counter
from time import perf_counter

import numpy as np
import pytest
import torch

from bm_plugins.datasets.samplers.class_balanced_sampler import (
    ClassBalancedSampler,
)
from bm_plugins.errors import InputError


class Labels:
    """A data set that is nothing but its labels."""

    def __init__(self, labels, classes='abc'):
        self.labels = np.asarray(labels)
        self.metainfo = dict(classes=tuple(classes))

    def get_gt_labels(self):
        return self.labels

    def __len__(self):
        return len(self.labels)


CELLS = Labels([0] * 50 + [1] * 3 + [2] * 7)


def test_each_class_n_c_times():
    sampler = ClassBalancedSampler(CELLS, samples_per_class=10, seed=0)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == 30
    assert Counter(CELLS.labels[drawn]) == {0: 10, 1: 10, 2: 10}
    repeats = Counter(drawn)
    # 50 images reach without repeats; 3 images: 3 passes and one more;
    # 7 images: one pass and three more.
    assert sorted(n for i, n in repeats.items() if i < 50) == [1] * 10
    assert sorted(n for i, n in repeats.items() if 50 <= i < 53) == [3, 3, 4]
    assert (
        sorted(n for i, n in repeats.items() if i >= 53) == [1] * 4 + [2] * 3
    )
    assert all(type(i) is int for i in drawn)


@pytest.mark.parametrize(
    'settings,n_c',
    [({}, 20), (dict(epoch_length=100), 33), (dict(epoch_length=1), 1)],
)
def test_n_c_from_a_target_length(settings, n_c):
    sampler = ClassBalancedSampler(CELLS, seed=0, **settings)
    assert sampler.samples_per_class == n_c
    assert len(sampler) == 3 * n_c


@pytest.mark.parametrize('world_size', [1, 2, 3, 4, 7])
@pytest.mark.parametrize('n_c', [10, 11])
def test_ranks_are_disjoint_and_together_the_epoch(world_size, n_c):
    sampler = ClassBalancedSampler(CELLS, samples_per_class=n_c, seed=0)
    sampler.set_epoch(4)
    whole = sampler.draw(4)
    places = np.full(len(whole), -1)
    for rank in range(world_size):
        sampler.rank, sampler.world_size = rank, world_size
        part = list(sampler)
        assert len(part) == len(sampler)
        places[rank::world_size] = part
    np.testing.assert_array_equal(places, whole)


def test_epochs_and_seeds_differ_and_repeat():
    sampler = ClassBalancedSampler(CELLS, seed=0)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert first != second and Counter(first) != Counter(second)
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert list(ClassBalancedSampler(CELLS, seed=1)) != first


def test_classes_are_mixed_through_the_epoch():
    labels = CELLS.labels[ClassBalancedSampler(CELLS, 1000, seed=0).draw(0)]
    for tenth in np.split(labels, 10):
        assert min(np.bincount(tenth)) > 60


def test_absent_classes_are_named_or_refused(capfd):
    cells = Labels([0, 0, 2], classes=['ABE', 'BAS', 'BLA', 'EBO'])
    sampler = ClassBalancedSampler(cells, samples_per_class=4, seed=0)
    assert Counter(cells.labels[list(sampler)]) == {0: 4, 2: 4}
    with pytest.raises(InputError, match='BAS EBO.*require_all'):
        ClassBalancedSampler(cells, require_all=True, seed=0)


@pytest.mark.parametrize(
    'settings,message',
    [
        (dict(samples_per_class=1, epoch_length=1), 'not both'),
        (dict(samples_per_class=0), 'samples_per_class=0'),
        (dict(epoch_length=-3), 'epoch_length=-3'),
    ],
)
def test_wrong_lengths(settings, message):
    with pytest.raises(InputError, match=message):
        ClassBalancedSampler(CELLS, seed=0, **settings)


def save_part(folder):
    rank = torch.distributed.get_rank()
    # No seed: the ranks agree on one.
    sampler = ClassBalancedSampler(CELLS, samples_per_class=11)
    torch.save((sampler.seed, list(sampler)), f'{folder}/{rank}.pth')


def test_two_processes(run_ranks, tmp_path):
    run_ranks(save_part, 2, tmp_path)
    (seed, first), (other, second) = (
        torch.load(tmp_path / f'{rank}.pth') for rank in range(2)
    )
    assert seed == other
    whole = ClassBalancedSampler(CELLS, samples_per_class=11, seed=seed)
    assert first == whole.draw(0)[::2].tolist()
    assert second == whole.draw(0)[1::2].tolist()


@pytest.mark.slow
def test_ten_million_images(capsys):
    rng = np.random.default_rng(0)
    counts = rng.multinomial(10_000_000, rng.dirichlet(np.full(21, 0.5)))
    labels = np.repeat(np.arange(21), counts)
    sampler = ClassBalancedSampler(Labels(labels, classes=range(21)), seed=0)
    start = perf_counter()
    drawn = sampler.draw(0)
    seconds = perf_counter() - start
    present = np.count_nonzero(counts)
    per_class = round(10_000_000 / present)
    seen = np.bincount(labels[drawn], minlength=21)
    assert seen[counts > 0].tolist() == [per_class] * present
    with capsys.disabled():
        print(f'\n10 million of 21 classes drawn in {seconds:.2f} s')


@pytest.mark.parametrize('world_size', [1, 2])
def test_balanced_batches(world_size):
    sampler = ClassBalancedSampler(
        CELLS, samples_per_class=10, balance_batches=True, seed=0
    )
    ranks = []
    for rank in range(world_size):
        sampler.rank, sampler.world_size = rank, world_size
        ranks.append(list(sampler))
    drawn = np.stack(ranks, 1).ravel()
    batches = CELLS.labels[drawn].reshape(-1, 6)  # 6 over all ranks
    assert all(np.bincount(b).tolist() == [2, 2, 2] for b in batches)
    assert len({tuple(b) for b in batches}) > 1  # in a random order
    assert Counter(drawn[drawn < 50]).most_common(1)[0][1] == 1
    assert set(drawn[:9]) >= {50, 51, 52}  # a class's images before repeats
