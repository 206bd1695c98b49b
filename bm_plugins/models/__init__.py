"""Models, losses and the mathematics under them."""

<<<<<<< HEAD
from .gpu_views import GPUViews
=======
from .cell_preprocessor import SyncFreeDataPreprocessor
from .mixup import SyncFreeMixup
>>>>>>> 3c8bc60e5c9f9be5b0d2b2868b4c830bc393608c
from .supcon import SupCon
from .supcon_head import SupConHead
from .supcon_loss import SupConLoss
from .swav_loss import GlobalSwAVLoss
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
    'WeightedCrossEntropyLoss',
]
