"""Data sets, samplers and transforms."""

from .balanced_sampler import ClassBalancedSampler
from .collate import collate_views
from .draw import DrawBatchSampler
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
