"""Models, losses and the mathematics under them."""

from bm_plugins.models.backbones.timm_encoder import TimmEncoder
from bm_plugins.models.backbones.tuned_timm_encoder import TunedTimmEncoder
from bm_plugins.models.heads.supcon_head import SupConHead
from bm_plugins.models.losses.logit_adjusted_loss import LogitAdjustedLoss
from bm_plugins.models.losses.soft_label_loss import SoftLabelLoss
from bm_plugins.models.losses.supcon_loss import SupConLoss
from bm_plugins.models.losses.swav_loss import GlobalSwAVLoss
from bm_plugins.models.losses.weighted_cross_entropy import (
    WeightedCrossEntropyLoss,
)
from bm_plugins.models.preprocessors.gpu_views import GPUViews
from bm_plugins.models.preprocessors.sync_free import (
    SyncFreeDataPreprocessor,
    SyncFreeMixup,
    SyncFreeViewsPreprocessor,
)
from bm_plugins.models.selfsup.supcon import SupCon
from bm_plugins.models.selfsup.swav_neck import PooledSwAVNeck

__all__ = [
    'GPUViews',
    'GlobalSwAVLoss',
    'LogitAdjustedLoss',
    'PooledSwAVNeck',
    'SoftLabelLoss',
    'SupCon',
    'SupConHead',
    'SupConLoss',
    'SyncFreeDataPreprocessor',
    'SyncFreeMixup',
    'SyncFreeViewsPreprocessor',
    'TimmEncoder',
    'TunedTimmEncoder',
    'WeightedCrossEntropyLoss',
]
