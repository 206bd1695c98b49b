"""Whether a checkpoint's weights are the model's."""

import re
from collections.abc import Sequence

from torch import Tensor, nn

from bm_plugins.errors import InputError, listed


def backbone_weights(
    checkpoint: dict, backbone: nn.Module, filename: str
) -> dict[str, Tensor]:
    """Weights of the backbone in a pretraining checkpoint.

    Args:
        checkpoint (dict): As loaded; the weights are under ``state_dict`` or
            at the top. Their keys start with ``backbone.``, ``module.`` or
            ``module.backbone.``, or are the backbone's own, or those that
            its ``own_weights`` translates.
        backbone (nn.Module): The backbone to be filled.
        filename (str): The checkpoint's path, for the errors.

    Raises:
        InputError: A weight of the backbone is missing, left over or has
            another shape.
    """
    weights = plain_keys(checkpoint)
    expected = backbone.state_dict()
    found = {
        key.removeprefix('backbone.'): value
        for key, value in weights.items()
        if key.startswith('backbone.')
    } or {k: v for k, v in weights.items() if k in expected}
    if not found and hasattr(backbone, 'own_weights'):
        found = backbone.own_weights(weights)
    if not found:
        raise InputError(
            f'checkpoint {filename} has no backbone: its keys are '
            f'{listed(weights)}; expected backbone.*, as '
            f'{listed("backbone." + key for key in expected)}. Give the .pth '
            'file of a pretraining run.'
        )
    problems = []
    if missing := [key for key in expected if key not in found]:
        problems.append(f'lacks {listed(missing)}')
    if extra := [key for key in found if key not in expected]:
        problems.append(f'holds {listed(extra)}, which the model has not')
    if reshaped := [
        f'{key} {tuple(found[key].shape)} for {tuple(value.shape)}'
        for key, value in expected.items()
        if key in found and found[key].shape != value.shape
    ]:
        problems.append(f'has other shapes: {listed(reshaped)}')
    if problems:
        raise InputError(
            f'checkpoint {filename} does not fit the backbone '
            f'{type(backbone).__name__}: it {"; ".join(problems)}. Use the '
            'linear_*.py config with the backbone of the pretraining config'
            f'{_name(backbone)}.'
        )
    return found


def model_weights(
    checkpoint: dict, model: nn.Module, filename: str
) -> dict[str, Tensor]:
    """Weights of a whole model in a checkpoint of just this model.

    They are under ``state_dict`` or at the top.

    Raises:
        InputError: Another number of classes, or any key that is missing,
            left over or has another shape.
    """
    weights = plain_keys(checkpoint)
    expected = model.state_dict()
    check_num_classes(checkpoint, model, filename)
    wrong = [
        key
        for key, value in expected.items()
        if key not in weights or weights[key].shape != value.shape
    ] + [key for key in weights if key not in expected]
    if wrong:
        raise InputError(
            f'checkpoint {filename} does not fit the model of the config: '
            f'{len(wrong)} keys differ ({listed(wrong)}). Use the config that '
            'the checkpoint was trained with.'
        )
    return weights


def is_of(checkpoint: dict, model: nn.Module) -> bool:
    """Whether the weights in a checkpoint are of just such a model."""
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    weights = plain_keys(checkpoint)
    return {key: value.shape for key, value in weights.items()} == shapes


def check_num_classes(
    checkpoint: dict, model: nn.Module, filename: str
) -> None:
    """Fail where the checkpoint's classifier has other classes.

    Raises:
        InputError: It and the model have a ``head.fc``, and the numbers
            differ.
    """
    weights = plain_keys(checkpoint)
    if not any(key.startswith('backbone.') for key in weights):
        return  # a backbone alone, whose own head may be called so
    saved = weights.get('head.fc.bias')
    wanted = model.state_dict().get('head.fc.bias')
    if saved is not None and wanted is not None and len(saved) != len(wanted):
        raise InputError(
            f'checkpoint {filename} has a classifier of {len(saved)} classes, '
            f'the config one of {len(wanted)}: set model.head.num_classes and '
            "the data set's classes to those of the checkpoint, or give a "
            'checkpoint of pretraining.'
        )


def check_classes(
    checkpoint: dict, classes: Sequence[str], filename: str
) -> None:
    """Fail where the checkpoint names classes that are not the data set's.

    Args:
        checkpoint (dict): As loaded; ``meta`` may hold the ``dataset_meta``
            that it was trained with.
        classes (Sequence[str]): Class codes of the data, in label order.
        filename (str): The checkpoint's path, for the error.

    Raises:
        InputError: They differ.
    """
    meta = checkpoint.get('meta', {}).get('dataset_meta') or {}
    saved = tuple(meta.get('classes') or classes)
    if saved != tuple(classes):
        raise InputError(
            f'checkpoint {filename} classifies {" ".join(saved)}, the data '
            f'set has {" ".join(classes)}, in this order: set the data '
            "set's metainfo to that of the checkpoint."
        )


def plain_keys(checkpoint: dict) -> dict[str, Tensor]:
    """Weights without the prefix that DDP may have left."""
    weights = checkpoint.get('state_dict', checkpoint)
    return {re.sub(r'^module\.', '', k): v for k, v in weights.items()}


def _name(backbone: nn.Module) -> str:
    said = getattr(backbone, 'said', None)
    return (
        f', or BM_TIMM of the file, not {said["model_name"]}' if said else ''
    )
