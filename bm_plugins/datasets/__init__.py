"""Data sets, samplers and transforms."""

from .balanced_sampler import ClassBalancedSampler
from .draw import DrawBatchSampler
from .matek import Matek
from .transforms import LoadCellImage, MultiCropViews

__all__ = [
    'ClassBalancedSampler',
    'DrawBatchSampler',
    'LoadCellImage',
    'Matek',
    'MultiCropViews',
]
