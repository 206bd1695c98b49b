"""Cross-entropy that allows for how often each class is trained on."""

from collections.abc import Sequence
from typing import Any

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bm_plugins.errors import InputError


@MODELS.register_module()
class LogitAdjustedLoss(nn.Module):
    """Cross-entropy of the logits plus τ log π, π the classes' shares.

    Menon et al. 2021 (arXiv:2007.07314), equation 10: in tests the logits go
    without the term, so that for τ = 1 each class counts alike. A class
    without training images gets no term.

    ``MarrowRunner`` adds ``TrainingClassesHook`` to any training with it,
    which tells it the classes; until then it is plain cross-entropy.

    Args:
        tau (float): τ. Defaults to 1.

    Attributes:
        adjustment (Tensor): τ log π (C,), a buffer that no checkpoint holds.

    Raises:
        InputError: τ is no number from 0.
    """

    needed_hooks = ('TrainingClassesHook',)
    # Of images drawn so, π is the same for each class.
    takes_balanced = False
    adjustment: Tensor

    def __init__(self, tau: float = 1.0) -> None:
        super().__init__()
        if not (isinstance(tau, int | float) and tau >= 0):
            raise InputError(f'tau={tau!r}: expected a number from 0.')
        self.tau = tau
        self.register_buffer('adjustment', torch.zeros(1), persistent=False)

    def set_classes(self, codes: Sequence[str], counts: Sequence[int]) -> str:
        """Take the shares from the training images (C,) of each class.

        Returns:
            str: For the log.
        """
        number = torch.as_tensor(counts, dtype=torch.float64)
        shares = (number / number.sum()).masked_fill(number == 0, 1)
        adjustment = self.tau * shares.log()
        self.adjustment = adjustment.to(self.adjustment)
        said = [f'{c} {a:.4g}' for c, a in zip(codes, adjustment, strict=True)]
        return f'Added to the logits in training: {" ".join(said)}'

    def forward(self, cls_score: Tensor, label: Tensor, **_: Any) -> Tensor:
        """Mean over the images.

        Args:
            cls_score (Tensor): Logits (N, C).
            label (Tensor): Class indices (N,) or soft targets (N, C).
        """
        return cross_entropy(cls_score.float() + self.adjustment, label)
