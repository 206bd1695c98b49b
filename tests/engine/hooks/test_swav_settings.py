import pytest

from bm_plugins.datasets import Matek
from bm_plugins.engine.hooks.swav_settings import check_swav_settings
from bm_plugins.errors import InputError
from bm_plugins.models import GlobalSwAVLoss


def check(cells, prototypes=6, queue=0, batch_size=9, **view):
    view = dict(num=2, size=16, scale=(0.3, 1.0)) | view
    views = dict(
        type='MultiCropViews', views=[view], hue=9, saturation=0, value=0
    )
    dataset = Matek(str(cells), with_label=False, pipeline=[views])
    loss = GlobalSwAVLoss(8, queue_length=queue, num_prototypes=prototypes)
    return check_swav_settings(loss, dataset, batch_size)


def test_settings_that_fit(cells):
    assert check(cells) == []


def test_prototypes_against_batch_and_queue(cells):
    (warning,) = check(cells, prototypes=19)
    assert 'num_prototypes=19 for 9 embeddings' in warning
    assert 'at most 18' in warning
    assert check(cells, prototypes=19, queue=1) == []


def test_queue_against_the_data(cells):
    (warning,) = check(cells, queue=44)
    assert 'queue_length=44' in warning and '43 images' in warning
    assert check(cells, queue=43) == []


def test_views_against_the_images(cells):
    (warning,) = check(cells, size=65)
    assert 'views of 65 px' in warning and 'images of 64 px' in warning
    (warning,) = check(cells, size=64, scale=(0.05, 1.0))
    assert 'the smallest from 14 px' in warning


def test_views_against_the_loss(cells):
    with pytest.raises(InputError, match=r'gives 8 views .*num_crops=\[2\]'):
        check(cells, num=8)
