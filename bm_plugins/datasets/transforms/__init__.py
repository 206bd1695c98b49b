"""Transforms of single-cell images."""

from .load_image import LoadCellImage
from .multi_crop import MultiCropViews

__all__ = ['LoadCellImage', 'MultiCropViews']
