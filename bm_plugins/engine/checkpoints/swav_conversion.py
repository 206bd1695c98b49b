"""SwAV weights from mmpretrain's names to mmselfsup's and back."""

import re

from torch import Tensor, nn

from bm_plugins.errors import InputError

from .checkpoint_keys import model_weights, plain_keys


def convert_swav(
    checkpoint: dict, model: nn.Module, filename: str
) -> dict[str, Tensor]:
    """Weights of a checkpoint by the keys of ``model``.

    Returns:
        dict[str, Tensor]: All weights of the model. A queue that it has and
        the checkpoint has not (upstream's losses save none) stays empty.

    Raises:
        InputError: A key is left over or missing, or has another shape.
    """
    own = model.state_dict()
    keys = {_common(key): key for key in own}
    weights = plain_keys(checkpoint)
    left_over = [key for key in weights if _common(key) not in keys]
    if left_over:
        raise InputError(
            f'checkpoint {filename} holds {len(left_over)} keys that the '
            f'model of the config has no place for: {", ".join(left_over)}. '
            'Use a config with the same backbone, neck and loss.'
        )
    converted = {keys[_common(key)]: value for key, value in weights.items()}
    for key, value in own.items():
        if _common(key).startswith('head.loss_module.queue'):
            converted.setdefault(key, value)
    return model_weights(dict(state_dict=converted), model, filename)


def _common(key: str) -> str:
    """mmpretrain's name of mmselfsup's key, or the same."""
    key = re.sub(r'^head\.loss\.', 'head.loss_module.', key)
    return re.sub(r'^neck\.bn\.', 'neck.norm.', key)
