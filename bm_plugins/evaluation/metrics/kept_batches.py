"""Predictions of a test, kept a batch at a time in few bytes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from bm_plugins.errors import InputError


class KeptBatch(NamedTuple):
    """What is kept of B images: 4 C + 16 bytes and the path of each.

    Attributes:
        indices (np.ndarray): Places in the data set (B,), int64.
        paths (str): The paths, with a null character between them.
        labels (np.ndarray): True classes (B,), int64.
        scores (np.ndarray): Probabilities (B, C), float32.
    """

    indices: np.ndarray
    paths: str
    labels: np.ndarray
    scores: np.ndarray


def keep_batch(samples: Sequence[dict]) -> KeptBatch:
    """Keep a batch, copied from the device in one go.

    Args:
        samples (Sequence[dict]): ``sample_idx``, ``path`` or ``img_path``,
            ``gt_label`` and ``pred_score`` (C,) of each image.

    Raises:
        InputError: One has no label.
    """
    if not all('gt_label' in sample for sample in samples):
        raise InputError(
            'PerClassMetric needs labels: set with_label=True in the test '
            'data set.'
        )
    labels = [torch.as_tensor(s['gt_label']).reshape(()) for s in samples]
    scores = torch.stack([sample['pred_score'] for sample in samples])
    return KeptBatch(
        np.array([sample['sample_idx'] for sample in samples], np.int64),
        '\0'.join(s.get('path', s.get('img_path')) or '' for s in samples),
        torch.stack(labels).cpu().numpy().astype(np.int64),
        scores.float().cpu().numpy(),
    )


def join_batches(
    batches: Sequence[KeptBatch],
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """All images in the order of the data set, each once.

    Args:
        batches (Sequence[KeptBatch]): Those of all ranks. Of an image that
            pads a rank's last batch the last one counts.

    Returns:
        tuple[list[str], np.ndarray, np.ndarray]: Paths (N,), labels (N,) and
        scores (N, C).
    """
    batches = [KeptBatch(*batch) for batch in batches]  # mmengine's tuples
    indices, labels, scores = (
        np.concatenate([getattr(batch, name) for batch in batches])
        for name in ('indices', 'labels', 'scores')
    )
    paths = [path for batch in batches for path in batch.paths.split('\0')]
    order = indices.argsort(kind='stable')
    last = np.append(np.diff(indices[order]) > 0, True)
    order = order[last]
    if not np.array_equal(order, np.arange(len(paths))):
        paths = [paths[row] for row in order]
        labels, scores = labels[order], scores[order]
    return paths, labels, scores
