"""Features of a whole part, of all ranks, in its own order."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather, is_main_process
from mmengine.runner import autocast
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torch.utils.data import DataLoader, Dataset


def backbone_features(backbone: nn.Module, inputs: Tensor) -> Tensor:
    """The backbone's last features (B, D), averaged over the image."""
    maps: Any = backbone(inputs)
    if isinstance(maps, tuple | list):
        maps = maps[-1]
    if maps.dim() == 4:
        maps = adaptive_avg_pool2d(maps, 1).flatten(1)
    return maps


@torch.no_grad()
def extract_features(
    model: nn.Module,
    dataloader: DataLoader,
    features: Callable[[Tensor], Tensor],
    fp16: bool = False,
    on_all_ranks: bool = False,
) -> tuple[Tensor, Tensor]:
    """One pass over a labelled part.

    Args:
        model (nn.Module): Has the ``data_preprocessor``; put in evaluation
            mode.
        dataloader (DataLoader): Its samples have ``sample_idx`` and
            ``gt_label``.
        features (Callable): From a batch of images to features (B, D).
        fp16 (bool): Mixed precision on a GPU. Defaults to False.
        on_all_ranks (bool): Return them on every rank, not on rank 0 alone.
            Defaults to False.

    Returns:
        tuple[Tensor, Tensor]: Features (N, D), float32, and labels (N,), in
        the data set's order, each sample once; empty on the other ranks.
    """
    model.eval()
    keep = on_all_ranks or is_main_process()
    table = labels = seen = torch.empty(0)
    for batch in dataloader:
        batch = model.data_preprocessor(batch, training=False)
        with autocast(enabled=fp16):
            feats = features(batch['inputs'])
        samples = batch['data_samples']
        index = [s.sample_idx for s in samples]
        index = torch.tensor(index, device=feats.device)
        # Ranks pad their last batch with images that were there already.
        parts = zip(
            all_gather(index),
            all_gather(torch.cat([s.gt_label for s in samples]).to(index)),
            all_gather(feats),
            strict=True,
        )
        if not keep:
            continue
        if not len(seen):  # one place a sample: never a second copy of all
            size = len(dataloader.dataset)
            table = feats.new_empty(size, feats.size(1), dtype=torch.float32)
            labels = feats.new_empty(size, dtype=torch.int64)
            seen = feats.new_zeros(size, dtype=torch.bool)
        for rows, classes, values in parts:
            table[rows] = values.float()
            labels[rows] = classes
            seen[rows] = True
    if len(seen) and not seen.all():  # a sampler that takes some
        return table[seen], labels[seen]
    return table, labels


def some_of_each(dataset: Dataset, per_class: int, seed: int = 0) -> list[int]:
    """Indices of at most ``per_class`` images of each class, in order."""
    rng = np.random.default_rng(seed)
    labels = np.asarray(dataset.get_gt_labels())
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:per_class]
        for label in np.unique(labels)
    ]
    return sorted(np.concatenate(chosen).tolist())
