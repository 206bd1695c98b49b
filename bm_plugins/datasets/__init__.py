"""Data sets, samplers and transforms."""

from bm_plugins.utils.lazy import lazy_names

_PLACES = dict(
    ClassBalancedSampler='.samplers.class_balanced_sampler',
    DrawBatchSampler='.samplers.draw_batch_sampler',
    LoadCellImage='.transforms.load_image',
    Matek='.matek',
    MultiCropViews='.transforms.multi_crop',
    PackViews='.transforms.pack_views',
    collate_views='.transforms.pack_views',
)
__all__ = [*_PLACES]
__getattr__, __dir__ = lazy_names(__name__, _PLACES)
