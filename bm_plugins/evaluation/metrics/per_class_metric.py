"""The metric that reports class by class."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpretrain.registry import METRICS

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.confusion import (
    averages,
    confusion_matrix,
)
from bm_plugins.evaluation.functional.tolerated_confusions import (
    RECONSTRUCTION,
    read_neighbours,
)
from bm_plugins.utils.csv_file import write_csv

from .score_table import score_table
from .scores import Figure, figures_of

BY_CLASS = ('precision', 'recall', 'f1')


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

    Each sample has ``sample_idx``, ``path`` or ``img_path``, ``gt_label``
    and ``pred_score`` (C,).

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
    """Paths (N,), labels (N,) and scores (N, C) in the data set's order.

    Of an image that pads a rank's last batch the last one counts.
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


@METRICS.register_module()
class PerClassMetric(BaseMetric):
    """Precision, recall, F1 and support by class, their averages, and files.

    Each figure comes with a 95 % interval, and says what it rests on: see
    :func:`figures_of`. All averages run over the classes with test images;
    beside each macro average stands the one without the classes of fewer
    than ``min_support`` test images, which a few images swing. Into
    ``out_dir`` go ``per_class.csv``
    (``code,name,support,precision,recall,f1``; scores empty without test
    images), ``figures.csv``
    (``score,of,n,classes,value,low,high,interval,protocol,classifier``; the
    last is how a linear evaluation fitted its classifier, else empty),
    ``confusion_matrix.csv`` (true classes in rows) and ``predictions.csv``
    (``path,label,pred,p_<CODE>...``).

    Args:
        min_support (int): Test images a class needs for the second macro
            average. Defaults to 10.
        neighbours (str, optional): CSV file (``code,neighbour``) of the
            confusions that the tolerant score forgives. Defaults to a
            reconstruction of Matek et al.'s; None for no tolerant score.
        replicates (int): Bootstrap draws of the intervals. Defaults to 1000.
        out_dir (str, optional): Folder of the files. Defaults to None: the
            run's.
        collect_device (str): As upstream. Defaults to ``'gpu'``: through the
            process group, on gloo too, where ``'cpu'`` would take files in a
            folder that all nodes share.
        prefix (str, optional): Of the scalars. Defaults to ``'per_class'``.

    Attributes:
        class_scores (dict[str, float]): ``f1/<CODE>`` and so on of the last
            test, of the classes with test images.

    Raises:
        InputError: Predictions have no labels, or scores of another number of
            classes than the data set.
    """

    default_prefix = 'per_class'

    def __init__(
        self,
        min_support: int = 10,
        neighbours: str | None = str(RECONSTRUCTION),
        replicates: int = 1000,
        out_dir: str | None = None,
        collect_device: str = 'gpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.min_support = min_support
        self.neighbours = neighbours
        self.replicates = replicates
        self.out_dir = out_dir
        self.class_scores: dict[str, float] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep index, path, label and scores (C,) of each sample."""
        self.results.append(keep_batch(data_samples))

    def compute_metrics(self, results: list[KeptBatch]) -> dict[str, float]:
        """Score, print the table and write the files.

        Args:
            results (list[KeptBatch]): What :meth:`process` kept, of all ranks.

        Returns:
            dict[str, float]: Those of :func:`figures_of` over the test.
        """
        paths, labels, scores = join_batches(results)
        # Ten million images are 1.5 GB, which need not lie there twice.
        results.clear()
        self.results.clear()
        codes = self.dataset_meta['classes']
        if scores.shape[1] != len(codes):
            raise InputError(
                f'the model scores {scores.shape[1]} classes, the data set '
                f'has {len(codes)}: set model.head.num_classes to it.'
            )
        meta = self.dataset_meta
        names = meta.get('full_names', codes)
        protocol = meta.get('protocol', 'not recorded')
        classifier = meta.get('classifier', '')
        neighbours = []
        if self.neighbours is not None:
            neighbours = read_neighbours(self.neighbours, codes)
        predictions = scores.argmax(1)
        matrix = confusion_matrix(labels, predictions, len(codes))
        figures = figures_of(
            *(labels, scores, codes, self.min_support),
            *(meta.get('train_support'), neighbours, self.replicates),
        )
        self.class_scores = {
            f'{score}/{code}': figure.value
            for (score, code), figure in figures.items()
            if score in BY_CLASS
        }
        table = score_table(
            figures, codes, names, self.min_support, protocol, classifier
        )
        print_log(f'\n{table}', 'current')
        if self.out_dir is not None:
            os.makedirs(self.out_dir, exist_ok=True)
            self._write(
                'per_class.csv',
                ['code', 'name', 'support', *BY_CLASS],
                (
                    (code, name, n)
                    + tuple(
                        f'{figures[score, code].value:.6f}' if n else ''
                        for score in BY_CLASS
                    )
                    for code, name, n in zip(
                        codes, names, matrix.sum(1), strict=True
                    )
                ),
            )
            self._write(
                'figures.csv',
                [field.name for field in fields(Figure)]
                + ['protocol', 'classifier'],
                (
                    [*astuple(figure), protocol, classifier]
                    for figure in figures.values()
                ),
            )
            self._write(
                'confusion_matrix.csv',
                ['label', *codes],
                ([c, *row] for c, row in zip(codes, matrix, strict=True)),
            )
            self._write(
                'predictions.csv',
                ['path', 'label', 'pred', *(f'p_{code}' for code in codes)],
                (
                    [path, codes[label], codes[pred], *(f'{p:.6g}' for p in s)]
                    for path, label, pred, s in zip(
                        paths, labels, predictions, scores, strict=True
                    )
                ),
            )
        values = averages(matrix, self.min_support)
        extra = {n: f.value for (n, of), f in figures.items() if of == 'all'}
        return {name: float(v) for name, v in (values | extra).items()}

    def _write(self, name: str, header: list, rows: Iterable[list]) -> None:
        write_csv(os.path.join(self.out_dir, name), header, rows)
