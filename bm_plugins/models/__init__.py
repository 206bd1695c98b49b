"""Models, losses and the mathematics under them."""

from .cell_preprocessor import SyncFreeDataPreprocessor
from .gpu_views import GPUViews
from .mixup import SyncFreeMixup
from .supcon import SupCon
from .supcon_head import SupConHead
from .supcon_loss import SupConLoss
from .swav_loss import GlobalSwAVLoss
from .timm_encoder import TimmEncoder
from .view_preprocessor import SyncFreeViewsPreprocessor
from .weighted_cross_entropy import WeightedCrossEntropyLoss

__all__ = [
    'GPUViews',
    'GlobalSwAVLoss',
    'SupCon',
    'SupConHead',
    'SupConLoss',
    'SyncFreeDataPreprocessor',
    'SyncFreeMixup',
    'SyncFreeViewsPreprocessor',
    'TimmEncoder',
    'WeightedCrossEntropyLoss',
]
