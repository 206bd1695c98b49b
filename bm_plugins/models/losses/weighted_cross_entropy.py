"""Cross-entropy whose classes count differently."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce, get_world_size
from mmpretrain.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import one_hot

from bm_plugins.errors import InputError


@MODELS.register_module()
class WeightedCrossEntropyLoss(nn.Module):
    """Cross-entropy with a weight w for each class.

    Divided by the sum of the weights, as ``torch.nn.CrossEntropyLoss(weight)``
    does for class indices: -Σ w_y log p_y / Σ w_y. For soft targets t (mixup)
    by the mixed weights, -Σ w_c t_c log p_c / Σ w_c t_c, where torch would
    divide by the number of samples; both are the same for one-hot t. The sums
    run over the samples of all ranks, so that after DDP's averaging the same
    global batch gives the same gradients on any number of ranks.

    Only the weights' ratios matter. Where ``class_weight`` is a rule,
    ``MarrowRunner`` adds ``ClassWeightHook`` to any training with this loss,
    which sets them from the training part's class counts.

    Args:
        num_classes (int): Number C of classes. Defaults to 21.
        class_weight (str or Sequence[float], optional): A rule of
            :func:`.class_weights`, or weights
            (C,); None for 1 each. Defaults to ``'inverse_frequency'``.
        beta (float): Of the rule ``'effective_number'``. Defaults to 0.9999.

    Attributes:
        class_weight (Tensor): (C,), a buffer that no checkpoint holds; 1 each
            until a rule's weights are set.
        rule (str or None): The rule.

    Raises:
        InputError: There are not C weights, or one is negative.
    """

    class_weight: Tensor

    def __init__(
        self,
        num_classes: int = 21,
        class_weight: str | Sequence[float] | None = 'inverse_frequency',
        beta: float = 0.9999,
    ) -> None:
        super().__init__()
        ones = torch.ones(num_classes)
        self.register_buffer('class_weight', ones, persistent=False)
        self.rule = class_weight if isinstance(class_weight, str) else None
        self.beta = beta
        if not (class_weight is None or self.rule):
            self.set_weights(class_weight)

    @property
    def needed_hooks(self) -> tuple[str, ...]:
        """Hooks that training with it needs."""
        return ('ClassWeightHook',) if self.rule else ()

    def set_weights(self, weights: Sequence[float]) -> None:
        """Replace the weights by others (C,)."""
        weights = torch.as_tensor(weights, dtype=torch.float32)
        if weights.shape != self.class_weight.shape or (weights < 0).any():
            raise InputError(
                f'class_weight {weights.tolist()}: expected '
                f'{len(self.class_weight)} numbers from 0, one a class.'
            )
        self.class_weight.copy_(weights)

    def forward(self, cls_score: Tensor, label: Tensor, **_: Any) -> Tensor:
        """Loss of the global batch's share on this rank.

        Args:
            cls_score (Tensor): Logits (N, C).
            label (Tensor): Class indices (N,) or soft targets (N, C).

        Returns:
            Tensor: A scalar; its mean over the ranks is the global loss.
        """
        log_p = cls_score.float().log_softmax(1)
        if label.dim() == 1:
            label = one_hot(label, log_p.size(1))
        weights = label * self.class_weight
        total = weights.sum()
        all_reduce(total)
        # Where no sample of the batch counts, the sum is 0 too.
        share = total.clamp(min=torch.finfo(total.dtype).tiny)
        return -(weights * log_p).sum() * get_world_size() / share


def class_weights(
    counts: np.ndarray, kind: str, beta: float = 0.9999
) -> np.ndarray:
    """Weight of each class by its number of training images.

    Args:
        counts (np.ndarray): Training images (C,).
        kind (str): ``'inverse_frequency'``, 1 / n; or ``'effective_number'``,
            (1 - beta) / (1 - beta^n), Cui et al. 2019 (arXiv:1901.05555),
            equation 2.
        beta (float): Of the effective number. Defaults to 0.9999.

    Returns:
        np.ndarray: Weights (C,), mean 1 over the classes with images and 0
        for the others.

    Raises:
        InputError: Another ``kind``, ``beta`` outside (0, 1), or no images.
    """
    counts = np.asarray(counts, float)
    present = counts > 0
    if not present.any():
        raise InputError('class weights: the training part is empty.')
    effective = counts[present]
    if kind == 'effective_number':
        if not 0 < beta < 1:
            raise InputError(f'beta={beta}: expected a number within 0 and 1.')
        # 1 - beta^n to full precision where it is near 0
        effective = -np.expm1(effective * np.log(beta))
    elif kind != 'inverse_frequency':
        raise InputError(
            f"kind={kind!r}: expected 'inverse_frequency' or "
            "'effective_number'."
        )
    weights = np.zeros(len(counts))
    weights[present] = 1 / effective / (1 / effective).mean()
    return weights
