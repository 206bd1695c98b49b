"""Mixup whose order of partners is copied without a wait."""

import numpy as np
import torch
from mmpretrain.models.utils.batch_augments import Mixup
from mmpretrain.registry import BATCH_AUGMENTS
from torch import Tensor

from .to_device import to_device


@BATCH_AUGMENTS.register_module()
class SyncFreeMixup(Mixup):
    """mmpretrain's ``Mixup``, with the same draws and results.

    Zhang et al. 2018 (arXiv:1710.09412). Upstream indexes a batch on the
    device by numbers of the host; each time the host waits for the device.

    Args:
        alpha (float): Both parameters of the Beta distribution of the mixing
            ratio.
    """

    def mix(
        self, batch_inputs: Tensor, batch_scores: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mix each image and its scores with a partner's.

        Args:
            batch_inputs (Tensor): Images (N, C, H, W).
            batch_scores (Tensor): Their targets (N, classes).

        Returns:
            tuple[Tensor, Tensor]: Both, mixed.
        """
        share = np.random.beta(self.alpha, self.alpha)
        partner = torch.randperm(len(batch_inputs))
        partner = to_device(partner, batch_inputs.device)
        return tuple(
            share * own + (1 - share) * own[partner]
            for own in (batch_inputs, batch_scores)
        )
