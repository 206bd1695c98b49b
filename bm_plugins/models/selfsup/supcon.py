"""Supervised contrastive learning."""

import torch
from mmpretrain.models import BaseSelfSupervisor
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from bm_plugins.errors import InputError


@MODELS.register_module()
class SupCon(BaseSelfSupervisor):
    """Supervised contrastive learning of a backbone from views and labels.

    Khosla et al. 2020 (arXiv:2004.11362); "Beyond Labels: Visual
    Representations for Bone Marrow Cell Morphology Recognition", section on
    supervised contrastive learning. Arguments as upstream: a ``backbone``, a
    ``neck`` that pools, unless the backbone does, and a ``SupConHead``.
    """

    def loss(
        self, inputs: list[Tensor], data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Forward and compare.

        Args:
            inputs (list[Tensor]): Views of the B images, each (B, 3, H, W).
            data_samples (list[DataSample]): Their labels.

        Returns:
            dict[str, Tensor]: ``loss``.

        Raises:
            InputError: The images have no labels.
        """
        if 'gt_label' not in data_samples[0]:
            raise InputError(
                'SupCon needs labels: set with_label=True in '
                'train_dataloader.dataset.'
            )
        labels = torch.cat([sample.gt_label for sample in data_samples])
        labels = labels.to(inputs[0].device, non_blocking=True)
        labels = labels.repeat(len(inputs))
        feats = self.extract_feat(torch.cat(inputs))
        if self.neck is not None:
            feats = self.neck(feats)
        return dict(loss=self.head.loss(feats, labels))
