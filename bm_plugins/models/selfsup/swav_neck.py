"""SwAV's projection of features that are pooled already."""

import torch
from mmpretrain.models import SwAVNeck
from mmpretrain.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class PooledSwAVNeck(SwAVNeck):
    """mmpretrain's neck after a backbone that gives a vector an image.

    Arguments as upstream; ``with_avg_pool`` has no effect.
    """

    def forward(self, x: list[tuple[Tensor]]) -> Tensor:
        """Embeddings (N, D) of features (n, C), a tuple for each size."""
        return self.forward_projection(torch.cat([feats[0] for feats in x]))
