"""Batches of views."""

from collections.abc import Sequence

import torch
from mmengine.registry import FUNCTIONS
from torch import Tensor
from torch.utils.data import get_worker_info


@FUNCTIONS.register_module()
def collate_views(samples: Sequence[dict]) -> dict:
    """Stack the views of B samples, each view once copied.

    Args:
        samples (Sequence[dict]): What :class:`PackViews` gives.

    Returns:
        dict: ``inputs``, a tensor (B, C, H, W) a view, channels last in
        memory as convolutions on a GPU like it; ``data_samples``, a list.
    """
    views = zip(*(sample['inputs'] for sample in samples), strict=True)
    return dict(
        inputs=[_stack(view) for view in views],
        data_samples=[sample['data_samples'] for sample in samples],
    )


def _stack(views: Sequence[Tensor]) -> Tensor:
    rows = [view.permute(1, 2, 0) for view in views]
    out = None
    if get_worker_info() is not None:  # straight into what processes share
        shape = (len(rows), *rows[0].shape)
        size = len(rows) * rows[0].nbytes
        storage = rows[0]._typed_storage()._new_shared(size)
        out = rows[0].new(storage).resize_(shape)
    return torch.stack(rows, out=out).permute(0, 3, 1, 2)
