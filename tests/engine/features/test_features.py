import numpy as np
import torch
from mmengine.registry import init_default_scope

from bm_plugins.datasets import Matek
from bm_plugins.engine import MarrowRunner
from bm_plugins.engine.features.features import (
    backbone_features,
    extract_features,
    some_of_each,
)
from tests.engine.labelled_part import loader


def test_the_last_map_averaged_over_the_image():
    maps = torch.randn(3, 5, 2, 4)
    expected = torch.tensor(maps.numpy().mean((2, 3)))
    for output in (maps, (torch.zeros(3, 7, 4, 4), maps), [maps]):
        found = backbone_features(lambda _, output=output: output, maps)
        torch.testing.assert_close(found, expected)
    flat = torch.randn(3, 5)
    assert backbone_features(lambda _: (flat,), maps) is flat


class Model(torch.nn.Module):
    """Channel means as features."""

    def data_preprocessor(self, batch, training):
        assert not training and not self.training
        inputs = torch.stack(list(batch['inputs'])).float()
        return dict(batch, inputs=inputs)

    @staticmethod
    def features(inputs):
        return inputs.mean((2, 3))


class Loader(list):
    """Some batches of a data set."""

    def __init__(self, batches, dataset):
        super().__init__(batches)
        self.dataset = dataset


def batches(cells, **sampler):
    init_default_scope('mmpretrain')
    config = loader(cells, 'train', batch_size=5)
    config['sampler'].update(sampler)
    return MarrowRunner.build_dataloader(config, seed=0)


def passed(cells, *args, **sampler):
    model = Model().train()
    data = batches(cells, **sampler)
    found = extract_features(model, data, model.features, *args)
    return *found, data.dataset


def test_each_sample_once_in_the_data_sets_order(cells):
    features, labels, dataset = passed(cells, shuffle=True)
    assert features.dtype == torch.float32
    assert labels.tolist() == dataset.get_gt_labels().tolist()
    for index, row in enumerate(features):
        expected = dataset[index]['inputs'].numpy().mean((1, 2))
        np.testing.assert_allclose(row, expected, rtol=1e-5)


def _on_ranks(cells, folder):
    *found, _ = passed(cells, False, True)
    torch.save(found, folder / f'{torch.distributed.get_rank()}.pt')


def test_three_ranks_find_what_one_does(cells, run_ranks, tmp_path):
    run_ranks(_on_ranks, 3, cells, tmp_path)
    features, labels, _ = passed(cells)
    assert len(labels) % 3  # so that ranks pad
    for rank in range(3):
        found = torch.load(tmp_path / f'{rank}.pt')
        assert torch.equal(found[0], features)
        assert torch.equal(found[1], labels)


def test_a_sampler_that_takes_some(cells):
    model = Model()
    data = batches(cells)
    some = [list(data)[i] for i in (3, 1)]
    part = Loader(some, data.dataset)
    features, labels = extract_features(model, part, model.features)
    rows = [*range(5, 10), *range(15, 20)]
    assert torch.equal(features, passed(cells)[0][rows])
    assert torch.equal(labels, passed(cells)[1][rows])


def test_some_of_each_class(cells):
    dataset = Matek(str(cells))
    labels = dataset.get_gt_labels()
    chosen = some_of_each(dataset, 9)
    counts = np.bincount(labels, minlength=21)
    found = np.bincount(labels[chosen], minlength=21)
    assert found.tolist() == np.minimum(counts, 9).tolist()
    assert chosen == sorted({*chosen}) == some_of_each(dataset, 9)
    assert chosen != some_of_each(dataset, 9, seed=1)
    assert some_of_each(dataset, 1000) == list(range(len(dataset)))
