"""Projection, L2 normalisation and loss of supervised contrastive learning."""

from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import normalize


@MODELS.register_module()
class SupConHead(BaseModule):
    """Project features onto the unit sphere and contrast them by class.

    Khosla et al. 2020 (arXiv:2004.11362), section 3.1.

    Args:
        in_channels (int): Length of a feature.
        out_channels (int): Length D of an embedding. Defaults to 128, the
            paper's.
        hid_channels (int): Width of a hidden layer with ReLU; 0 for one
            linear layer. Defaults to 0.
        loss (dict): The loss. Defaults to ``SupConLoss``.
        init_cfg (dict, optional): As upstream.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 128,
        hid_channels: int = 0,
        loss: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if hid_channels:
            self.projection = nn.Sequential(
                nn.Linear(in_channels, hid_channels),
                nn.ReLU(inplace=True),
                nn.Linear(hid_channels, out_channels),
            )
        else:
            self.projection = nn.Linear(in_channels, out_channels)
        self.loss_module = MODELS.build(loss or dict(type='SupConLoss'))

    def forward(self, feats: tuple[Tensor]) -> Tensor:
        """Unit embeddings (N, D) of pooled features, the last (N, C)."""
        return normalize(self.projection(feats[-1]))

    def loss(self, feats: tuple[Tensor], labels: Tensor) -> Tensor:
        """Loss of embeddings with classes ``labels`` (N,)."""
        return self.loss_module(self(feats), labels)
