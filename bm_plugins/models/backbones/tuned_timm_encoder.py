"""A timm transformer of which only a small part is trained."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bm_plugins.errors import InputError

from .timm_encoder import TimmEncoder

_OWN = 'timm_model.'
_ORIGINAL = '.parametrizations.weight.original'
_ARGUMENTS = ('lora_rank', 'lora_alpha', 'lora_targets', 'unfreeze_blocks')


class LowRankUpdate(nn.Module):
    """A weight W as W + alpha / r · B A, of which A and B are trained.

    Low-rank adaptation, Hu et al. 2021 (arXiv:2106.09685), equation 3; A is
    drawn as ``nn.Linear`` draws its weight, B is 0, so that training starts
    from W. As a parametrization it also holds where a model takes a layer's
    weight past its ``forward``, as timm's Eva, BEiT and Swin V2 do.

    Args:
        weight (Tensor): W (out, in).
        rank (int): r.
        alpha (float): Of the scale.
    """

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        self.lora_a = nn.Parameter(weight.new_empty(rank, weight.size(1)))
        self.lora_b = nn.Parameter(weight.new_zeros(weight.size(0), rank))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, weight: Tensor) -> Tensor:
        """The sum (out, in)."""
        return weight + self.scale * (self.lora_b @ self.lora_a)


@MODELS.register_module()
class TunedTimmEncoder(TimmEncoder):
    """A timm model trained by LoRA, or by its last blocks.

    All else is frozen. Weights under timm's names fit as they fit
    :class:`TimmEncoder`; a checkpoint holds them beside the trained ones.

    Args:
        model_name (str): As for :class:`TimmEncoder`.
        lora_rank (int): Rank r of the update of each weight. Defaults to 8.
        lora_alpha (float): Its scale times r. Defaults to 16.
        lora_targets (str or Sequence[str], optional): Names of the linear
            layers that get one, as ``qkv``, the last part of theirs. Defaults
            to None: all linear layers.
        unfreeze_blocks (int, optional): Train the last N blocks and what
            follows them, instead of LoRA. Defaults to None.
        **kwargs: As for :class:`TimmEncoder`.

    Raises:
        InputError: As for :class:`TimmEncoder`; or the model has no such
            layers or blocks.
    """

    def __init__(
        self,
        model_name: str,
        *,
        lora_rank: int = 8,
        lora_alpha: float = 16,
        lora_targets: str | Sequence[str] | None = None,
        unfreeze_blocks: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model_name, **kwargs)
        self.timm_model.requires_grad_(False)
        if unfreeze_blocks is not None:
            self._unfreeze(unfreeze_blocks)
            return
        if not (isinstance(lora_rank, int) and lora_rank >= 1):
            raise InputError(
                f'model.backbone.lora_rank={lora_rank}: expected a whole '
                'number from 1.'
            )
        is_number = isinstance(lora_alpha, int | float)
        if not (is_number and 0 < lora_alpha < math.inf):
            raise InputError(
                f'model.backbone.lora_alpha={lora_alpha}: expected a number '
                'above 0.'
            )
        layers = {
            name: layer
            for name, layer in self.timm_model.named_modules()
            if isinstance(layer, nn.Linear)
        }
        ends = {name.rpartition('.')[2] for name in layers}
        if isinstance(lora_targets, str | int):  # --cfg-options, of one
            lora_targets = (lora_targets,)
        wanted = ends if lora_targets is None else {*lora_targets}
        if not wanted or wanted - ends:
            raise InputError(
                f'model.backbone.lora_targets={lora_targets}: {model_name} '
                f'has the linear layers {", ".join(sorted(ends)) or "none"}.'
            )
        for name, layer in layers.items():
            if name.rpartition('.')[2] in wanted:
                update = LowRankUpdate(layer.weight, lora_rank, lora_alpha)
                parametrize.register_parametrization(layer, 'weight', update)
        self.said |= dict(lora_rank=lora_rank, lora_alpha=lora_alpha)

    def _unfreeze(self, number: int) -> None:
        blocks = len(getattr(self.timm_model, 'blocks', ()))
        if not (isinstance(number, int) and 1 <= number <= blocks):
            raise InputError(
                f'model.backbone.unfreeze_blocks={number}: '
                f'{self.said["model_name"]} has {blocks} blocks; expected 1 '
                'or more of them.'
            )
        start = f'blocks.{blocks - number}.'
        first = min(d for k, d in self._depths.items() if k.startswith(start))
        for name, weight in self.timm_model.named_parameters():
            weight.requires_grad_(self._depths[name] >= first)

    @cached_property
    def _depths(self) -> dict[str, int]:
        """Depth of each parameter by timm's grouping; 0 is the stem."""
        from timm.models import group_parameters

        model = self.timm_model
        return group_parameters(model, model.group_matcher(), reverse=True)

    def get_layer_depth(
        self, param_name: str, prefix: str = ''
    ) -> tuple[int, int]:
        """Depth of a parameter, and how many there are.

        For mmpretrain's ``LearningRateDecayOptimWrapperConstructor``; what is
        none of the encoder's, as the classifier, is the deepest.
        """
        number = max(self._depths.values()) + 2
        name = param_name.removeprefix(prefix + _OWN)
        return self._depths.get(name, number - 1), number

    def own_weights(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """As of :class:`TimmEncoder`; the updates are this module's."""
        found = super().own_weights(weights)
        for key, value in self.state_dict().items():
            plain = key.replace(_ORIGINAL, '.weight')
            if plain != key and plain in found:
                found[key] = found.pop(plain)
            elif '.lora_' in key:
                found[key] = value
        return found

    @torch.no_grad()
    def merge(self) -> None:
        """Become a :class:`TimmEncoder` of the updated weights, in place.

        Computed in float64, so that the weights are rounded once.
        """
        for layer in self.modules():
            if parametrize.is_parametrized(layer, 'weight'):
                [update] = layer.parametrizations['weight']
                original = layer.parametrizations['weight'].original
                weight = update.double()(original.double()).to(original)
                parametrize.remove_parametrizations(layer, 'weight', False)
                layer.weight.copy_(weight)


def plain_config(backbone: dict[str, Any]) -> dict[str, Any]:
    """Config of the :class:`TimmEncoder` that a merged one is.

    Any other backbone's is returned as it is.
    """
    if backbone['type'] != TunedTimmEncoder.__name__:
        return backbone
    kept = {k: v for k, v in backbone.items() if k not in _ARGUMENTS}
    return dict(kept, type=TimmEncoder.__name__)
