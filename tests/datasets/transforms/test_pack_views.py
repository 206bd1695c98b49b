import numpy as np

from bm_plugins.datasets.transforms import PackViews


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


def test_without_labels():
    view = np.zeros((2, 2, 3), np.uint8)
    packed = PackViews()(dict(img=[view], sample_idx=0))
    assert 'gt_label' not in packed['data_samples']
