"""The network of a bundle from a config and a checkpoint."""

from collections.abc import Callable

import torch
from mmpretrain.registry import MODELS
from torch import Tensor

from bm_plugins import plugins  # noqa: F401
from bm_plugins.apis.bundle.bundle_model import BundleModel
from bm_plugins.compat.quiet_logs import warnings_only
from bm_plugins.engine.checkpoints.checkpoint_keys import (
    backbone_weights,
    check_classes,
    check_num_classes,
    model_weights,
)
from bm_plugins.engine.features.features import backbone_features
from bm_plugins.errors import InputError
from bm_plugins.evaluation.linear.probe import (
    LinearProbe,
    fit_linear_probe,
)

from .settings import Settings


def make_network(
    settings: Settings,
    checkpoint: dict,
    classes: tuple[str, ...],
    filename: str,
) -> BundleModel:
    """Build the network and fill it, as ``tools/test.py`` does.

    Args:
        settings (Settings): Of the config.
        checkpoint (dict): As loaded.
        classes (tuple[str, ...]): Codes (C,) of the data set.
        filename (str): The checkpoint's path, for the errors.

    Returns:
        BundleModel: In evaluation mode, on the GPU if there is one. The
        classifier is the checkpoint's where the config is supervised.

    Raises:
        InputError: The checkpoint does not fit the config.
    """
    with warnings_only():
        whole = MODELS.build(settings.model)
    check_num_classes(checkpoint, whole, filename)
    if settings.supervised:
        check_classes(checkpoint, classes, filename)
        whole.load_state_dict(model_weights(checkpoint, whole, filename))
    else:
        weights = backbone_weights(checkpoint, whole.backbone, filename)
        whole.backbone.load_state_dict(weights)
    fc = whole.head.fc
    model = BundleModel(
        whole.backbone,
        settings.mean,
        settings.std,
        fc.in_features,
        fc.out_features,
    )
    model.fc.load_state_dict(fc.state_dict())
    for name, weight in model.state_dict().items():
        if not weight.isfinite().all():
            raise InputError(
                f'checkpoint {filename}: the weights {name} are not finite. '
                'Give an earlier checkpoint, or train anew.'
            )
    model.eval()
    _check_length(model, settings.size)
    return model.to('cuda' if torch.cuda.is_available() else 'cpu')


@torch.no_grad()
def _check_length(model: BundleModel, size: tuple[int, int]) -> None:
    blank = torch.zeros(1, 3, *size[::-1])
    length = backbone_features(model.backbone, blank).size(1)
    if length != model.fc.in_features:
        raise InputError(
            f'the backbone has {length} features, model.head.in_channels is '
            f'{model.fc.in_features}: set it to that.'
        )


def fit_classifier(
    model: BundleModel,
    settings: Settings,
    features: Tensor,
    labels: Tensor,
    say: Callable[[str], object] | None = None,
) -> LinearProbe:
    """Fit the classifier of a frozen network, in place.

    Args:
        model (BundleModel): The network.
        settings (Settings): Regularisations to choose from, and how the
            classes are weighted.
        features (Tensor): Training features (N, D), overwritten.
        labels (Tensor): Classes (N,).
        say (Callable, optional): As for :func:`fit_linear_probe`.

    Returns:
        LinearProbe: What was fitted.
    """
    device = model.fc.weight.device
    probe = fit_linear_probe(
        features.to(device),
        labels.to(device),
        model.fc.out_features,
        settings.l2,
        settings.folds,
        say=say,
        class_weight=settings.class_weight,
    )
    with torch.no_grad():
        model.fc.weight.copy_(probe.weight)
        model.fc.bias.copy_(probe.bias)
    return probe
