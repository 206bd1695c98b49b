import pytest
import torch
from torch import nn

from bm_plugins.engine.checkpoints.checkpoint_keys import (
    backbone_weights,
    check_num_classes,
    model_weights,
)
from bm_plugins.errors import InputError


def backbone():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 2))


class Classifier(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.backbone = backbone()
        self.head = nn.ModuleDict({'fc': nn.Linear(2, classes)})


@pytest.mark.parametrize(
    'prefix', ['backbone.', 'module.backbone.', 'module.', '']
)
@pytest.mark.parametrize('nested', [True, False])
def test_backbone_is_found_under_any_prefix(prefix, nested):
    weights = backbone().state_dict()
    saved = {prefix + key: value for key, value in weights.items()}
    if 'backbone' in prefix:
        saved['head.loss_module.queue'] = torch.zeros(2)
    checkpoint = dict(state_dict=saved) if nested else saved
    found = backbone_weights(checkpoint, backbone(), 'a.pth')
    assert found.keys() == weights.keys()
    for key, value in weights.items():
        torch.testing.assert_close(found[key], value)


@pytest.mark.parametrize(
    'change,message',
    [
        (lambda w: w.pop('backbone.0.weight'), 'lacks 0.weight'),
        (
            lambda w: w.update({'backbone.9.bias': torch.zeros(1)}),
            'holds 9.bias',
        ),
        (
            lambda w: w.update({'backbone.1.bias': torch.zeros(7)}),
            r'1.bias \(7,\) for \(2,\)',
        ),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    weights = {f'backbone.{k}': v for k, v in backbone().state_dict().items()}
    change(weights)
    with pytest.raises(InputError, match=f'a.pth .*{message}'):
        backbone_weights(dict(state_dict=weights), backbone(), 'a.pth')


def test_no_backbone():
    checkpoint = dict(state_dict={'encoder.conv': torch.zeros(1)})
    with pytest.raises(InputError, match='a.pth has no backbone.*encoder'):
        backbone_weights(checkpoint, backbone(), 'a.pth')


def test_whole_model():
    model = Classifier(5)
    saved = {f'module.{k}': v for k, v in model.state_dict().items()}
    assert model_weights(saved, model, 'a.pth').keys() == {*model.state_dict()}
    saved['module.extra'] = torch.zeros(1)
    with pytest.raises(InputError, match='1 keys differ .extra'):
        model_weights(saved, model, 'a.pth')


def test_other_number_of_classes():
    saved = dict(state_dict=Classifier(21).state_dict())
    with pytest.raises(InputError, match='21 classes, the config one of 11'):
        check_num_classes(saved, Classifier(11), 'a.pth')
    with pytest.raises(InputError, match='21 classes, the config one of 11'):
        model_weights(saved, Classifier(11), 'a.pth')


def test_a_backbones_own_head_is_no_classifier_of_ours():
    saved = {'stem.weight': torch.zeros(1), 'head.fc.bias': torch.zeros(1000)}
    check_num_classes(saved, Classifier(11), 'convnext.pth')
