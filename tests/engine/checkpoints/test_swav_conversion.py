import mmselfsup.models  # noqa: F401
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from bm_plugins.engine.checkpoints.swav_conversion import convert_swav
from bm_plugins.errors import InputError
from bm_plugins.models.losses.swav_loss import swav_loss_of
from tests.engine.small_swav import small_model, small_swav


def build(name, **neck):
    """The config's SwAV, ResNet-18 and without synchronised norms."""
    cfg = Config.fromfile(f'configs/{name}.py')
    cfg.model.backbone.update(depth=18, norm_cfg=dict(type='BN'))
    cfg.model.neck.update(in_channels=512, **neck)
    cfg.model.head.loss.update(num_prototypes=30, queue_length=16)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
        model.init_weights()
    return model


def views(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(8, 3, 64, 64, generator=generator) for _ in range(2)]


def loss_of(model):
    model.train()
    return model(views(), mode='loss')['loss']


WIDE = dict(hid_channels=64, norm_cfg=dict(type='BN1d'))
OURS, THEIRS = 'swav_bm', 'swav_mmselfsup_bm'


@pytest.mark.parametrize('neck', [{}, WIDE], ids=['linear', 'two_layers'])
@pytest.mark.parametrize('one,two', [(OURS, THEIRS), (THEIRS, OURS)])
def test_same_weights_and_batch_give_the_same_loss(one, two, neck):
    one, two = build(one, **neck), build(two, **neck)
    for weight in one.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    loss = swav_loss_of(one)
    loss.queue.normal_()
    loss.queue_fill.fill_(5)
    state = dict(state_dict=one.state_dict())
    two.load_state_dict(convert_swav(state, two, 'one.pth'))
    other = swav_loss_of(two)
    torch.testing.assert_close(other.queue, loss.queue)
    assert other._fill == 5
    torch.testing.assert_close(other.prototypes.weight, loss.prototypes.weight)
    first, second = loss_of(one), loss_of(two)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    first.backward()
    second.backward()
    for ours, theirs in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=0)


def stock(model):
    """mmselfsup's own loss in the place of ours."""
    model.head.loss = mmselfsup.models.SwAVLoss(
        feat_dim=128, num_prototypes=30, epsilon=0.03, num_crops=[2]
    )
    return model


def test_mmselfsups_own_loss_is_ours_on_one_rank():
    ours, theirs = build(OURS), stock(build(THEIRS))
    state = dict(state_dict=theirs.state_dict())
    ours.load_state_dict(convert_swav(state, ours, 'theirs.pth'))
    loss = swav_loss_of(ours)
    assert loss._fill == 0  # they save no queue
    torch.testing.assert_close(
        loss.prototypes.weight, theirs.head.loss.prototypes.weight
    )
    torch.testing.assert_close(
        loss_of(ours), loss_of(theirs), rtol=1e-5, atol=0
    )


def test_a_key_left_over_is_an_error():
    ours, theirs = build(OURS), stock(build(THEIRS))
    state = dict(state_dict=ours.state_dict())
    with pytest.raises(InputError, match='ours.pth holds 2 .*queue.*queue_f'):
        convert_swav(state, theirs, 'ours.pth')
    wide = build(THEIRS, **WIDE)
    state = dict(state_dict=wide.state_dict())
    with pytest.raises(InputError, match=r'wide.pth holds .*neck\.bn\.weight'):
        convert_swav(state, ours, 'wide.pth')


def test_a_missing_or_reshaped_key_is_an_error():
    ours, theirs = build(OURS), build(THEIRS)
    weights = theirs.state_dict()
    prototypes = weights.pop('head.loss.prototypes.weight')
    state = dict(state_dict=weights)
    with pytest.raises(InputError, match='head.loss_module.prototypes'):
        convert_swav(state, ours, 'theirs.pth')
    weights['head.loss.prototypes.weight'] = prototypes[:5]
    with pytest.raises(InputError, match='head.loss_module.prototypes'):
        convert_swav(state, ours, 'theirs.pth')


def test_hooks_want_the_loss_they_know(cells, tmp_path):
    runner = small_swav(cells, tmp_path)
    runner.model.head.loss_module = torch.nn.Identity()
    with pytest.raises(InputError, match='this model has Identity'):
        runner.train()


def test_the_same_run_through_the_same_runner(cells, tmp_path):
    ours = small_swav(cells, tmp_path / 'ours')
    model = small_model()
    model.update(type='mmselfsup.SwAV')
    # As the config; mmselfsup has no network as small.
    for part in ('data_preprocessor', 'backbone'):
        model[part]['type'] = 'mmpretrain.' + model[part]['type']
    for part in ('neck', 'head'):
        model[part]['type'] = 'mmselfsup.' + model[part]['type']
    model['head']['loss']['type'] = 'mmpretrain.GlobalSwAVLoss'
    theirs = small_swav(cells, tmp_path / 'theirs', model=model)
    ours.model.init_weights()
    state = dict(state_dict=ours.model.state_dict())
    start = convert_swav(state, theirs.model, 'start.pth')
    theirs.model.load_state_dict(start)
    for runner in (ours, theirs):
        runner.model.init_weights = lambda: None
        runner.train()
    assert swav_loss_of(theirs.model)._fill == 18
    state = dict(state_dict=theirs.model.state_dict())
    end = convert_swav(state, ours.model, 'end.pth')
    for key, value in ours.model.state_dict().items():
        torch.testing.assert_close(end[key], value, rtol=0, atol=0)
