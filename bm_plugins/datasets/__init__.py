"""Data sets, samplers and transforms."""

from bm_plugins.datasets.samplers.class_balanced_sampler import (
    ClassBalancedSampler,
)
from bm_plugins.datasets.samplers.draw_batch_sampler import DrawBatchSampler
from bm_plugins.datasets.transforms.pack_views import collate_views

from .matek import Matek
from .transforms import LoadCellImage, MultiCropViews, PackViews

__all__ = [
    'ClassBalancedSampler',
    'DrawBatchSampler',
    'LoadCellImage',
    'Matek',
    'MultiCropViews',
    'PackViews',
    'collate_views',
]
