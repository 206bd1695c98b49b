import torch
from torch import nn

from bm_plugins.models import SupConHead


def test_projects_onto_the_unit_sphere():
    torch.manual_seed(0)
    head = SupConHead(16, out_channels=4)
    feats = torch.randn(5, 16)
    z = head((torch.zeros(1), feats))
    torch.testing.assert_close(z.norm(dim=1), torch.ones(5))
    expected = feats @ head.projection.weight.t() + head.projection.bias
    torch.testing.assert_close(z * expected.norm(dim=1)[:, None], expected)


def test_two_layers():
    head = SupConHead(16, hid_channels=8)
    first, relu, second = head.projection
    assert (first.in_features, first.out_features) == (16, 8)
    assert isinstance(relu, nn.ReLU)
    assert (second.in_features, second.out_features) == (8, 128)


def test_loss_is_that_of_its_module():
    head = SupConHead(16, loss=dict(type='SupConLoss', temperature=0.7))
    feats, labels = (torch.randn(6, 16),), torch.tensor([0, 0, 1, 1, 2, 2])
    assert head.loss_module.temperature == 0.7
    loss = head.loss(feats, labels)
    torch.testing.assert_close(loss, head.loss_module(head(feats), labels))
