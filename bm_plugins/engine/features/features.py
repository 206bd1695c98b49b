"""Features of a whole part, of all ranks, in its own order."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather, is_main_process
from mmengine.logging import print_log
from mmengine.runner import autocast
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torch.utils.data import DataLoader, Dataset

from bm_plugins.utils.progress import track


def backbone_features(backbone: nn.Module, inputs: Tensor) -> Tensor:
    """The backbone's last features (B, D), averaged over the image."""
    maps: Any = backbone(inputs)
    if isinstance(maps, tuple | list):
        maps = maps[-1]
    if maps.dim() == 4:
        maps = adaptive_avg_pool2d(maps, 1).flatten(1)
    return maps


@torch.no_grad()
def feature_batches(
    model: nn.Module,
    dataloader: DataLoader,
    features: Callable[[Tensor], Tensor],
    fp16: bool = False,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """One pass over a labelled part, a batch of every rank at a time.

    Args:
        model (nn.Module): Has the ``data_preprocessor``; put in evaluation
            mode.
        dataloader (DataLoader): Its samples have ``sample_idx`` and
            ``gt_label``.
        features (Callable): From a batch of images to features (B, D).
        fp16 (bool): Mixed precision on a GPU. Defaults to False.

    Yields:
        tuple[Tensor, Tensor, Tensor]: Places in the data set (B,), labels
        (B,) and features (B, D), those of all ranks on each. A rank pads its
        last batch with images that were there already.
    """
    model.eval()
    for batch in dataloader:
        batch = model.data_preprocessor(batch, training=False)
        with autocast(enabled=fp16):
            feats = features(batch['inputs'])
        samples = batch['data_samples']
        index = [s.sample_idx for s in samples]
        index = torch.tensor(index, device=feats.device)
        labels = torch.cat([s.gt_label for s in samples]).to(index)
        yield tuple(
            torch.cat(all_gather(part)) for part in (index, labels, feats)
        )


def extract_features(
    model: nn.Module,
    dataloader: DataLoader,
    features: Callable[[Tensor], Tensor],
    fp16: bool = False,
    on_all_ranks: bool = False,
) -> tuple[Tensor, Tensor]:
    """All features of a labelled part.

    Args:
        model (nn.Module): As for :func:`feature_batches`.
        dataloader (DataLoader): As said there.
        features (Callable): As said there.
        fp16 (bool): As said there.
        on_all_ranks (bool): Return them on every rank, not on rank 0 alone.
            Defaults to False.

    Returns:
        tuple[Tensor, Tensor]: Features (N, D), float32, and labels (N,), in
        the data set's order, each sample once; empty on the other ranks.
    """
    keep = on_all_ranks or is_main_process()
    table = labels = seen = torch.empty(0)
    batches = track(
        feature_batches(model, dataloader, features, fp16),
        *('Features', len(dataloader), 'batches'),
        shown=is_main_process(),
        say=partial(print_log, logger='current'),
    )
    for rows, classes, values in batches:
        if not keep:
            continue
        if not len(seen):  # one place a sample: never a second copy of all
            size = len(dataloader.dataset)
            table = values.new_empty(size, values.size(1), dtype=torch.float32)
            labels = values.new_empty(size, dtype=torch.int64)
            seen = values.new_zeros(size, dtype=torch.bool)
        table[rows] = values.float()
        labels[rows] = classes
        seen[rows] = True
    if len(seen) and not seen.all():  # a sampler that takes some
        return table[seen], labels[seen]
    return table, labels


def some_of_each(dataset: Dataset, per_class: int, seed: int = 0) -> list[int]:
    """Indices of at most ``per_class`` images of each class, in order."""
    return some_rows(np.asarray(dataset.get_gt_labels()), per_class, seed)


def some_rows(labels: np.ndarray, per_class: int, seed: int = 0) -> list[int]:
    """Rows of at most ``per_class`` of each label of (N,), in order."""
    rng = np.random.default_rng(seed)
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:per_class]
        for label in np.unique(labels)
    ]
    return sorted(np.concatenate(chosen).tolist())
