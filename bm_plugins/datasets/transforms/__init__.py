"""Transforms of single-cell images."""

from .load_image import LoadCellImage
from .multi_crop import MultiCropViews
from .pack_views import PackViews

__all__ = ['LoadCellImage', 'MultiCropViews', 'PackViews']
