import numpy as np
import torch

from bm_plugins.datasets import Matek
from bm_plugins.engine.features import backbone_features, some_of_each


def test_the_last_map_averaged_over_the_image():
    maps = torch.randn(3, 5, 2, 4)
    expected = torch.tensor(maps.numpy().mean((2, 3)))
    for output in (maps, (torch.zeros(3, 7, 4, 4), maps), [maps]):
        found = backbone_features(lambda _, output=output: output, maps)
        torch.testing.assert_close(found, expected)
    flat = torch.randn(3, 5)
    assert backbone_features(lambda _: (flat,), maps) is flat


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
