"""Views as tensors, without a copy."""

import torch
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS
from mmpretrain.structures import DataSample


@TRANSFORMS.register_module()
class PackViews(BaseTransform):
    """mmpretrain's ``PackInputs`` for views, in the memory they lie in.

    **Required keys:** ``img``, a list of views (H, W, C) uint8. **Added:**
    ``inputs``, the same as tensors (C, H, W), channels last in memory;
    ``data_samples`` with ``sample_idx`` and, if there is one, ``gt_label``.
    **Deleted:** all others.
    """

    draws_globally = False

    def transform(self, results: dict) -> dict:
        """Pack ``results``."""
        sample = DataSample()
        sample.set_field(
            results['sample_idx'], 'sample_idx', field_type='metainfo'
        )
        if 'gt_label' in results:
            sample.set_gt_label(results['gt_label'])
        views = [torch.from_numpy(v).permute(2, 0, 1) for v in results['img']]
        return dict(inputs=views, data_samples=sample)
