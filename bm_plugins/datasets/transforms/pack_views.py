"""Views as tensors, and batches of them, without a copy too many."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import FUNCTIONS
from mmpretrain.registry import TRANSFORMS
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.utils.data import get_worker_info


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
            # torch takes no view that was flipped without a copy.
            views = [v if min(v.strides) > 0 else v.copy() for v in img]
            inputs = [torch.from_numpy(v).permute(2, 0, 1) for v in views]
        return dict(inputs=inputs, data_samples=sample)


@FUNCTIONS.register_module()
def collate_views(samples: Sequence[dict]) -> dict:
    """Put the views of B samples together, each copied once.

    Args:
        samples (Sequence[dict]): What :class:`PackViews` gives.

    Returns:
        dict: ``inputs``, a tensor (B, C, H, W) a view, channels last in
        memory as convolutions on a GPU like it; ``data_samples``, a list. Of
        views that are yet to be rendered, ``inputs`` is a dict: ``draws``
        (B, V, 14), ``images``, the bytes of all images or files one after
        the other, and ``shapes``, those of the B arrays.
    """
    inputs = [sample['inputs'] for sample in samples]
    if isinstance(inputs[0], dict):
        images = [sample['image'] for sample in inputs]
        together = _empty(sum(img.size for img in images))
        flat = [img.reshape(-1) for img in images]
        np.concatenate(flat, out=together.numpy())
        batch = dict(
            draws=torch.from_numpy(np.stack([s['draws'] for s in inputs])),
            images=together,
            shapes=[img.shape for img in images],
        )
    else:
        batch = [_stack(view) for view in zip(*inputs, strict=True)]
    return dict(
        inputs=batch,
        data_samples=[sample['data_samples'] for sample in samples],
    )


def _stack(views: Sequence[Tensor]) -> Tensor:
    rows = [view.permute(1, 2, 0) for view in views]
    out = _empty(len(rows), *rows[0].shape)
    return torch.stack(rows, out=out).permute(0, 3, 1, 2)


def _empty(*shape: int) -> Tensor:
    """Bytes that a worker shares with the process that asked for them."""
    like = torch.empty(0, dtype=torch.uint8)
    if get_worker_info() is None:
        return like.new_empty(shape)
    storage = like._typed_storage()._new_shared(math.prod(shape))
    return like.new(storage).resize_(shape)
