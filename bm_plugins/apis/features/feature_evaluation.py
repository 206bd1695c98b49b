"""The linear probe and k-NN on features in a file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import linear

from bm_plugins.evaluation.functional.neighbours import weighted_knn
from bm_plugins.evaluation.linear.probe import (
    LinearProbe,
    fit_linear_probe,
)
from bm_plugins.evaluation.metrics.per_class_metric import (
    KeptBatch,
    PerClassMetric,
)
from bm_plugins.utils.files import make_folder

from .feature_file import FeatureFile

_ROWS = 1024  # at a time


def evaluate_features(
    found: FeatureFile,
    out: str | Path,
    train: Sequence[str] = ('train', 'val'),
    test: Sequence[str] = ('test',),
    neighbours: int | None = None,
    class_weight: str | None = 'balanced',
) -> tuple[dict[str, float], LinearProbe | None]:
    """Classify some parts by others, and report as ``tools/test.py`` does.

    Args:
        found (FeatureFile): Features of all of them.
        out (str or Path): Folder of the files of :class:`PerClassMetric`.
        train (Sequence[str]): Parts to learn from. Defaults to train and val,
            as in the linear evaluation.
        test (Sequence[str]): Parts to test on. Defaults to test.
        neighbours (int, optional): Classify by :func:`weighted_knn` of so
            many. Defaults to None: by :func:`fit_linear_probe`.
        class_weight (str, optional): ``'balanced'`` or None, as for that one.

    Returns:
        tuple[dict[str, float], LinearProbe or None]: The metric's scalars,
        and the classifier where one was fitted.

    Raises:
        InputError: The file has nothing of ``train`` or of ``test``, or
            ``class_weight`` is another.
    """
    known, asked = found.rows(train), found.rows(test)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    memory, classes, questions = (
        torch.from_numpy(values).to(device)
        for values in (
            found.features[known].astype(np.float32),
            found.labels[known].astype(np.int64),
            found.features[asked].astype(np.float32),
        )
    )
    number = len(found.classes)
    probe = None
    if neighbours is None:
        probe = fit_linear_probe(
            memory, classes, number, say=print, class_weight=class_weight
        )
        # of float32, as a model has it
        weight, bias = probe.weight.float(), probe.bias.float()
        scores = linear(questions, weight, bias).softmax(1)
    else:
        memory = memory.double()
        scores = torch.cat(
            [
                weighted_knn(memory, classes, rows, number, neighbours)
                for rows in questions.double().split(_ROWS)
            ]
        )
    protocol = found.attributes.get('protocol', 'not recorded')
    if tuple(test) != ('test',):
        protocol += f'; {"/".join(test)} part'
    metric = PerClassMetric(out_dir=str(make_folder(out)))
    metric.dataset_meta = dict(
        classes=found.classes,
        full_names=found.full_names,
        protocol=protocol,
        train_support=found.attributes.get('train_support'),
        classifier=probe.text if probe else '',
    )
    kept = KeptBatch(
        np.arange(len(asked)),
        '\0'.join(found.paths[row] for row in asked),
        found.labels[asked].astype(np.int64),
        scores.float().cpu().numpy(),
    )
    return metric.compute_metrics([kept]), probe
