"""Views as tensors, without a copy."""

import torch
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS
from mmpretrain.structures import DataSample


@TRANSFORMS.register_module()
class PackViews(BaseTransform):
    """mmpretrain's ``PackInputs`` for views, in the memory they lie in.

    **Required keys:** ``img``, a list of views (H, W, C) uint8, or with
    ``view_draws`` one image or file. **Added:** ``inputs``, the views as
    tensors (C, H, W), channels last in memory; or a dict of ``image``,
    (H, W, C) or the file's bytes (L,), and ``draws`` (V, 14);
    ``data_samples`` with ``sample_idx`` and, if there are any, ``gt_label``
    and ``img_path``. **Deleted:** all others.
    """

    draws_globally = False

    def transform(self, results: dict) -> dict:
        """Pack ``results``."""
        sample = DataSample()
        for key in ('sample_idx', 'img_path'):
            if key in results:
                sample.set_field(results[key], key, field_type='metainfo')
        if 'gt_label' in results:
            sample.set_gt_label(results['gt_label'])
        img = results['img']
        if 'view_draws' in results:
            inputs = dict(image=img, draws=results['view_draws'])
        else:
            inputs = [torch.from_numpy(v).permute(2, 0, 1) for v in img]
        return dict(inputs=inputs, data_samples=sample)
