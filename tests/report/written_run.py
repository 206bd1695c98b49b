"""A run's folder as tools/test.py writes it, from given scores."""

import numpy as np
import torch

from bm_plugins.evaluation import PerClassMetric


def write_run(folder, labels, scores, codes='ABCD', prefix='', **meta):
    metric = PerClassMetric(out_dir=str(folder), replicates=100)
    codes = tuple(codes)
    metric.dataset_meta = dict(classes=codes, protocol='by hand') | meta
    for i, (label, score) in enumerate(zip(labels, scores, strict=True)):
        metric.process(
            None,
            [
                dict(
                    sample_idx=i,
                    path=f'{codes[label]}/{prefix}{i:05}.jpg',
                    gt_label=torch.tensor([label]),
                    pred_score=torch.as_tensor(score),
                )
            ],
        )
    metric.evaluate(len(labels))
    return folder


def draw(n, accuracy, seed, classes=4, labels=None):
    """Labels, and scores of a classifier that is mostly right."""
    rng = np.random.default_rng(seed)
    if labels is None:
        labels = rng.integers(0, classes, n)
    scores = rng.dirichlet(np.ones(classes), n)
    right = rng.random(n) < accuracy
    scores[right, labels[right]] += 1
    return labels, scores / scores.sum(1, keepdims=True)


def write_fold(folder, fold, labels, scores, codes='ABCD', **meta):
    """A fold's run; its image names start with the fold."""
    return write_run(
        folder / f'fold_{fold}' / 'test',
        labels,
        scores,
        codes,
        prefix=f'{fold}_',
        **meta,
    )
