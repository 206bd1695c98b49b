import numpy as np
import torch
from torch.utils.data import DataLoader

from bm_plugins.datasets.transforms import PackViews
from bm_plugins.datasets.transforms.pack_views import collate_views


def test_views_stay_where_they_are():
    views = [
        np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) for _ in range(2)
    ]
    packed = PackViews()(dict(img=views, sample_idx=5, gt_label=2, path='a'))
    for tensor, view in zip(packed['inputs'], views, strict=True):
        assert tensor.shape == (3, 2, 3)
        np.testing.assert_array_equal(tensor.permute(1, 2, 0), view)
        view[0, 0, 0] = 99
        assert tensor[0, 0, 0] == 99
    sample = packed['data_samples']
    assert sample.sample_idx == 5 and sample.gt_label.tolist() == [2]
    assert 'path' not in sample


def test_flipped_views_of_other_transforms():
    view = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    for flipped in (view[::-1], view[:, ::-1], view[..., ::-1]):
        (found,) = PackViews()(dict(img=[flipped], sample_idx=0))['inputs']
        np.testing.assert_array_equal(found.permute(1, 2, 0), flipped)


def test_without_labels():
    view = np.zeros((2, 2, 3), np.uint8)
    packed = PackViews()(dict(img=[view], sample_idx=0))
    assert 'gt_label' not in packed['data_samples']


def sample(i):
    sizes = (6, 4)
    views = [
        (torch.arange(3 * s * s).view(s, s, 3) + i).byte().permute(2, 0, 1)
        for s in sizes
    ]
    return dict(inputs=views, data_samples=i)


def check(batch):
    assert batch['data_samples'] == [0, 1, 2]
    for view, size in zip(batch['inputs'], (6, 4), strict=True):
        assert view.shape == (3, 3, size, size)
        assert view.is_contiguous(memory_format=torch.channels_last)
    for i in range(3):
        for view, expected in zip(
            batch['inputs'], sample(i)['inputs'], strict=True
        ):
            assert torch.equal(view[i], expected)


def test_stacks_each_view():
    check(collate_views([sample(i) for i in range(3)]))


def test_the_same_from_a_worker():
    loader = DataLoader(
        [sample(i) for i in range(3)],
        batch_size=3,
        num_workers=1,
        collate_fn=collate_views,
    )
    (batch,) = loader
    check(batch)
    assert all(view.is_shared() for view in batch['inputs'])
