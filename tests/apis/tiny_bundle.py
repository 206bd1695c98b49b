"""A small bundle with random weights, in no time."""

import cv2
import numpy as np
import torch
from mmpretrain.registry import MODELS

from bm_plugins.apis.bundle.bundle import Bundle, Reference, Validation
from bm_plugins.apis.bundle.bundle_model import BundleModel

BACKBONE = dict(
    type='ResNet_CIFAR',
    depth=18,
    stem_channels=8,
    base_channels=8,
    strides=[2, 2, 2, 2],
)
CODES = ('BLA', 'LYT', 'NGS')
PRIOR = dict(
    shares=[0.5, 0.3, 0.2],
    text='each class as often as among its training images',
    calibration=[1 / 3] * 3,
)


def tiny_bundle(seed: int = 0, **changes: object) -> Bundle:
    """Three classes, 64 features, inputs of 48 px.

    Args:
        seed (int): Of the weights and of all outputs.
        **changes (object): Other fields of the bundle.
    """
    torch.manual_seed(seed)
    known = torch.arange(30)
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    number = len(changes.get('classes', CODES))
    model = BundleModel(MODELS.build(dict(BACKBONE)), mean, std, 64, number)
    labels = known % number
    logits = torch.randn(30, number)
    logits[known, labels] += 2
    picture = cv2.imencode('.jpg', np.full((32, 32, 3), 200, np.uint8))[1]
    fields = dict(
        classes=CODES,
        full_names=('Blasts', 'Lymphocytes', 'Segmented neutrophils'),
        backbone=BACKBONE,
        weights={k: v.numpy() for k, v in model.state_dict().items()},
        size=(48, 48),
        interpolation='area',
        mean=mean,
        std=std,
        temperature=1.5,
        validation=Validation(
            logits.numpy(), labels.numpy(), torch.rand(30).numpy()
        ),
        reference=Reference(
            torch.randn(30, 64).half().numpy(),
            labels.numpy(),
            tuple(f'{i}.jpg' for i in range(30)),
            (picture.tobytes(),) * 30,
        ),
        info=dict(method='random weights', prior=PRIOR),
        card='# A tiny bundle\n',
    )
    return Bundle(**{**fields, **changes})
