import pytest
from benchmarks.stock_config import stock_config
from mmengine.config import Config

from bm_plugins.errors import InputError


def stock(name):
    ours = Config.fromfile(f'configs/{name}.py')
    before = ours._cfg_dict.to_dict()
    theirs = stock_config(ours)
    assert ours._cfg_dict.to_dict() == before
    # The views of ours stay in a variable of the config that none uses.
    used = {k: v for k, v in theirs.items() if k != 'train_pipeline'}
    types = Config(used).pretty_text.split("type='")[1:]
    kinds = {kind.partition("'")[0] for kind in types}
    assert not {kind for kind in kinds if kind.startswith('SyncFree')}
    assert 'runner_type' not in theirs
    return theirs, kinds


def test_swav():
    theirs, kinds = stock('swav_mcrop_bm')
    assert {'SwAVLoss', 'SwAVHook', 'LARS', 'GaussianBlur'} <= kinds
    assert not kinds & {'GlobalSwAVLoss', 'MultiCropViews', 'LoadCellImage'}
    _, views, _ = theirs.train_dataloader.dataset.pipeline
    assert views.num_views == [2, 6]
    assert [view[0].scale for view in views.transforms] == [224, 96]
    assert views.transforms[1][0].crop_ratio_range == (0.05, 0.14)
    (hook,) = theirs.custom_hooks
    assert (hook.queue_length, hook.batch_size) == (1280, 64)
    assert 'queue_length' not in theirs.model.head.loss


def test_two_small_views():
    theirs, _ = stock('swav_tiny_bm')
    _, views, _ = theirs.train_dataloader.dataset.pipeline
    assert views.num_views == [2]
    assert [view[0].scale for view in views.transforms] == [48]


def test_supervised_with_mixup():
    theirs, kinds = stock('resnext50_mixup_bm')
    assert {'ClsDataPreprocessor', 'Mixup', 'SGD'} <= kinds
    crop = theirs.train_dataloader.dataset.pipeline[1]
    assert (crop.scale, crop.backend) == (250, 'pillow')


def test_supcon_keeps_its_model():
    _, kinds = stock('supcon_bm')
    assert {'SupConLoss', 'LARS', 'SelfSupDataPreprocessor'} <= kinds


def test_other_methods():
    cfg = Config(dict(model=dict(type='MoCo')))
    with pytest.raises(InputError, match='model.type=MoCo'):
        stock_config(cfg)
