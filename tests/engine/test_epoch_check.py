"""What an epoch of the data needs, on one rank; test_runner.py has two."""

import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import bm_plugins  # noqa: F401
from bm_plugins.engine.epoch_check import check_epoch
from bm_plugins.errors import InputError


def loader(classes=('A', 'B', 'C'), images=4):
    data = TensorDataset(torch.zeros(images, 1))
    if classes:
        data.metainfo = dict(classes=classes)
    return DataLoader(data, batch_size=2)


def model_of(classes=3, weights=None):
    model = nn.Module()
    loss = dict(type='CrossEntropyLoss', class_weight=weights)
    head = dict(type='LinearClsHead', in_channels=2, loss=loss)
    model.head = MODELS.build(dict(head, num_classes=classes))
    return model


def test_what_fits_is_taken():
    check_epoch(model_of(), loader())
    check_epoch(model_of(weights=[1, 2, 3]), loader())
    check_epoch(model_of(classes=5), loader(classes=None))  # does not say
    check_epoch(nn.Linear(1, 1), loader())  # without a head


@pytest.mark.parametrize(
    ('model', 'data', 'message'),
    [
        (
            *(dict(classes=2), {}),
            'model.head.num_classes is 2, but the data set has 3 classes',
        ),
        (
            *(dict(weights=[1, 2]), {}),
            'model.head.loss.class_weight: expected 3 numbers, .* found 2.',
        ),
        ({}, dict(images=0), 'fewer images than one batch: lower train_data'),
    ],
)
def test_what_does_not_fit(model, data, message):
    with pytest.raises(InputError, match=message):
        check_epoch(model_of(**model), loader(**data))
