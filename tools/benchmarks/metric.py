"""A test's metric, from the first batch to the figures."""

import tempfile
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmpretrain.evaluation import ConfusionMatrix, SingleLabelMetric

from bm_plugins.compat.quiet_logs import warnings_only
from bm_plugins.datasets.matek_classes import CLASSES, SUPPORTS
from bm_plugins.evaluation import PerClassMetric

from .memory import peak_mb
from .timing import compare

_BATCH = 64


def metric(entries: int, runs: int = 5) -> dict:
    """Process the batches of a test and score it.

    Ours gives every figure with its interval (1,000 bootstrap draws) and,
    ``with files``, writes the predictions; stock gives precision, recall and
    F1 by class and the confusion matrix. ``batches alone`` is the making of
    the samples, which is part of each side.

    Args:
        entries (int): Test images N.
        runs (int): Timed tests of each. Defaults to 5.

    Returns:
        dict: As :func:`compare`, with ``peak_mb`` beside the times.
    """

    def ours(out_dir: str | None = None) -> None:
        _evaluate([PerClassMetric(out_dir=out_dir)], entries)

    def with_files() -> None:
        with tempfile.TemporaryDirectory() as folder:
            ours(folder)

    def stock() -> None:
        by_class = SingleLabelMetric(average=None)
        _evaluate([by_class, ConfusionMatrix()], entries)

    sides: dict[str, Callable[[], None]] = {
        'ours': ours,
        'ours with files': with_files,
        'stock': stock,
        'batches alone': lambda: _evaluate([], entries),
    }
    what = f'a test of {entries:,} images, {len(CLASSES)} classes'
    with warnings_only():
        result = compare(what, sides, entries, runs)
        for name, side in sides.items():
            result['sides'][name]['peak_mb'] = peak_mb(side)
    return result


def _evaluate(metrics: Sequence[BaseMetric], entries: int) -> None:
    for one in metrics:
        one.dataset_meta = dict(classes=CLASSES, train_support=SUPPORTS)
    for batch in _batches(entries):
        for one in metrics:
            one.process(None, batch)
    for one in metrics:
        one.evaluate(entries)


def _batches(entries: int) -> Iterator[list[dict]]:
    """Samples as a model gives them: views of a batch's fresh tensors."""
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(len(CLASSES), size=_BATCH))
    logits = torch.from_numpy(rng.normal(size=(_BATCH, len(CLASSES))))
    logits[torch.arange(_BATCH), labels] += 2
    scores = logits.softmax(1).float()
    for start in range(0, entries, _BATCH):
        size = min(_BATCH, entries - start)
        pairs = zip(labels.clone().split(1), scores.clone(), strict=True)
        yield [
            dict(
                sample_idx=start + i,
                path=f'BLA/0001-1000/BLA_{start + i:05}.jpg',
                gt_label=label,
                pred_score=score,
            )
            for i, (label, score) in zip(range(size), pairs, strict=False)
        ]
