"""Weights of other programs under the names that are wanted here."""

import re
from collections.abc import Mapping
from math import isqrt

from torch import Tensor, nn

from bm_plugins.errors import InputError, listed

from .checkpoint_keys import model_weights, plain_keys

# Left out: heads of pretraining, and the token that hides patches in it.
_TRAINING = ('dino_head.', 'ibot_head.', 'mask_token')
# SwiGLU's two layers.
_NAMES = {'.mlp.w12.': '.mlp.fc1.', '.mlp.w3.': '.mlp.fc2.'}
_SIZES = {384: 'small', 768: 'base', 1024: 'large', 1536: 'giant'}
_PATCH = 14


def convert_dinobloom(checkpoint: Mapping, filename: str) -> dict[str, Tensor]:
    """Weights of a DINOv2 vision transformer by timm's keys.

    DinoBloom (Koch et al. 2024, arXiv:2404.05022; weights at
    doi:10.5281/zenodo.10908163) is DINOv2 (Oquab et al. 2023,
    arXiv:2304.07193) trained on at 224 px. Its files hold ``teacher`` with
    ``backbone.*``, ``dino_head.*`` and ``ibot_head.*``; DINOv2's own hold the
    backbone alone, at 518 px, and are converted too.

    Raises:
        InputError: It is of another kind, or has register tokens.
    """
    saved = checkpoint.get('teacher', checkpoint)
    weights = {}
    for key, value in saved.items() if isinstance(saved, Mapping) else ():
        key = key.removeprefix('backbone.')
        if key.startswith(_TRAINING):
            continue
        for theirs, ours in _NAMES.items():
            key = key.replace(theirs, ours)
        weights[key] = value
    wanted = {'cls_token', 'pos_embed', 'patch_embed.proj.weight'}
    wanted |= {'blocks.0.ls1.gamma', 'norm.weight'}
    if not wanted <= {*weights} or 'register_tokens' in weights:
        found = listed(weights) or 'nothing'
        raise InputError(
            f'{filename} is no file of DinoBloom or of DINOv2 without '
            'registers: expected teacher with backbone.cls_token, '
            f'backbone.blocks.0.ls1.gamma and so on, found {found}. Give '
            'DinoBloom-S.pth, -B.pth, -L.pth or -G.pth as published.'
        )
    return weights


def timm_name(weights: Mapping[str, Tensor], filename: str) -> tuple[str, int]:
    """The timm model that converted weights are of, and its images' side.

    Raises:
        InputError: There is none of such a width.
    """
    _, tokens, width = weights['pos_embed'].shape
    side = isqrt(tokens - 1)
    if width not in _SIZES or side * side != tokens - 1:
        raise InputError(
            f'{filename} has features of length {width} and {tokens} tokens; '
            f'expected a length of {", ".join(map(str, _SIZES))} and a square '
            'of patches beside the class token.'
        )
    return f'vit_{_SIZES[width]}_patch14_dinov2', side * _PATCH


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
