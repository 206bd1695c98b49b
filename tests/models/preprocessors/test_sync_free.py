"""Against upstream's own, to the bit."""

import pytest
import torch
from mmpretrain.models import ClsDataPreprocessor, SelfSupDataPreprocessor
from mmpretrain.models.utils.batch_augments import Mixup
from mmpretrain.structures import DataSample

from bm_plugins.datasets.samplers.draw_batch_sampler import seed_generators
from bm_plugins.models import (
    SyncFreeDataPreprocessor,
    SyncFreeMixup,
    SyncFreeViewsPreprocessor,
)
from bm_plugins.models.preprocessors.sync_free import (
    labels_to_device,
    to_device,
)

NORM = dict(mean=[100, 110, 120], std=[50, 60, 70], to_rgb=True)


def images(size, count=5):
    generator = torch.Generator().manual_seed(size)
    shape = (count, 3, size, size)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator)


def labelled(count=5):
    return [DataSample().set_gt_label(i % 3) for i in range(count)]


def assert_same(ours, theirs):
    torch.testing.assert_close(
        ours['inputs'], theirs['inputs'], rtol=0, atol=0
    )
    for one, other in zip(
        ours['data_samples'], theirs['data_samples'], strict=True
    ):
        assert sorted(one.keys()) == sorted(other.keys())
        for key, value in one.items():
            assert torch.equal(value, other.get(key))


@pytest.mark.parametrize('views', [True, False])
@pytest.mark.parametrize('settings', [NORM, dict(to_rgb=True), dict()])
def test_views(views, settings):
    inputs = [images(8), images(4)] if views else images(8)
    ours = SyncFreeViewsPreprocessor(**settings)
    theirs = SelfSupDataPreprocessor(**settings)
    assert_same(
        ours(dict(inputs=inputs, data_samples=labelled()), training=True),
        theirs(dict(inputs=inputs, data_samples=labelled()), training=True),
    )
    assert ours(dict(inputs=inputs))['data_samples'] is None


@pytest.mark.parametrize('training', [True, False])
def test_mixed_cells(training):
    made = []
    for kind, mixup in (
        (SyncFreeDataPreprocessor, SyncFreeMixup),
        (ClsDataPreprocessor, Mixup),
    ):
        mix = dict(augments=mixup(alpha=0.5))
        process = kind(num_classes=3, batch_augments=mix, **NORM)
        seed_generators(0, 1, 2)
        data = dict(inputs=images(8), data_samples=labelled())
        made.append(process(data, training))
        made[-1]['next'] = torch.rand(1)  # as many draws
    assert_same(*made)
    assert made[0]['next'] == made[1]['next']


def test_labels_of_several_classes_keep_their_sample():
    samples = [
        DataSample().set_gt_label(labels) for labels in ([0, 2], [1], [2])
    ]
    labels_to_device(samples, torch.device('cpu'))
    assert [s.gt_label.tolist() for s in samples] == [[0, 2], [1], [2]]
    labels_to_device(None, torch.device('cpu'))
    labels_to_device([DataSample()], torch.device('cpu'))


def test_labels_come_to_the_device_in_one_copy():
    """On torch's device without memory, which the host cannot read."""
    samples = labelled()
    labels_to_device(samples, torch.device('meta'))
    assert {s.gt_label.device.type for s in samples} == {'meta'}
    assert to_device(torch.ones(2), torch.device('meta')).is_meta
