"""Models, losses and the mathematics under them."""

from .gpu_views import GPUViews
from .supcon import SupCon
from .supcon_head import SupConHead
from .supcon_loss import SupConLoss
from .swav_loss import GlobalSwAVLoss
from .weighted_cross_entropy import WeightedCrossEntropyLoss

__all__ = [
    'GPUViews',
    'GlobalSwAVLoss',
    'SupCon',
    'SupConHead',
    'SupConLoss',
    'WeightedCrossEntropyLoss',
]
