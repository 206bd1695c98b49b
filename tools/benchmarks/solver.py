"""Choosing the regularisation and fitting, beside scikit-learn's."""

import resource

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from bm_plugins.datasets.matek_classes import SUPPORTS
from bm_plugins.evaluation.linear.probe import (
    GRID,
    _stratified_folds,
    fit_linear_probe,
)

from .timing import compare


def long_tailed_features(
    samples: int, dims: int, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Features like a network's: rectified, correlated, of the 21 classes.

    Args:
        samples (int): About their number N; a class has 6 at least.
        dims (int): Length D.
        seed (int): Of the draw. Defaults to 0.

    Returns:
        tuple[Tensor, Tensor]: (N, D) float32 and (N,) int64.
    """
    rng = np.random.default_rng(seed)
    share = np.array(SUPPORTS) / sum(SUPPORTS)
    counts = np.maximum(np.round(share * samples), 6).astype(int)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    # Few directions that matter, ever weaker.
    causes = min(256, dims)
    scale = torch.arange(1, causes + 1) ** -0.5
    centres = normal(len(counts), causes) * scale
    mix = 6 * normal(causes, dims) / causes**0.5
    shift = 0.3 * normal(dims) - 0.2
    labels = torch.from_numpy(labels)
    features = torch.empty(len(labels), dims)
    for part, of in zip(features.split(8192), labels.split(8192), strict=True):
        cells = centres[of] + 3 * normal(len(of), causes) * scale
        noise = 0.5 * normal(*part.shape)
        part.copy_((cells @ mix + shift + noise).relu_())
    return features, labels


def solver(
    runs: int = 3,
    samples: int = 2000,
    dims: int = 128,
    stock: bool = True,
) -> dict:
    """Time the solver on features like a network's.

    Standardising, the six values of l2 in five folds, and the last fit; the
    stock side does the same with scikit-learn's LogisticRegression (L-BFGS,
    balanced class weights), from strong to weak as well, to the same
    gradients. No value beyond the six is tried on either side.

    Args:
        runs (int): Timed calls of each. Defaults to 3.
        samples (int): Number of features. Defaults to 2,000.
        dims (int): Their length. Defaults to 128.
        stock (bool): Time scikit-learn too, which takes hours where there are
            many. Defaults to True.

    Returns:
        dict: As of :func:`compare`, ``agreement``, the share of the samples
        that both classify alike (absent without a stock side), and
        ``peak_gib``, the process's greatest memory so far.
    """
    features, labels = long_tailed_features(samples, dims)
    found = {}

    def ours() -> None:
        x = features.clone() if stock or runs > 1 else features
        probe = fit_linear_probe(x, labels, len(SUPPORTS), GRID)
        if stock:
            logits = features @ probe.weight.t().float() + probe.bias.float()
            found['ours'] = logits.argmax(1).numpy(), probe.l2

    def theirs() -> None:
        found['stock'] = _scikit_learn(
            features.numpy(), labels.numpy(), found['ours'][1]
        )

    sides = dict(ours=ours, stock=theirs) if stock else dict(ours=ours)
    what = (
        f'6 values of l2 in 5 folds and the last fit: {len(labels):,} '
        f'synthetic features of length {dims:,}, 21 classes'
        + ('; stock: scikit-learn' if stock else '')
    )
    result = compare(what, sides, len(labels), runs, warm_up=False)
    if stock:
        same = found['ours'][0] == found['stock']
        result['agreement'] = float(same.mean())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result['peak_gib'] = peak / 2**20  # of KiB
    return result


def _scikit_learn(x: np.ndarray, y: np.ndarray, l2: float) -> np.ndarray:
    """Predictions (N,) at ``l2``, after the whole path in all folds."""
    std = x.std(0, ddof=1)
    scaled = (x - x.mean(0)) / np.where(std > 0, std, 1)
    fold_of = _stratified_folds(y, 5, seed=0)
    # Its weights sum to the number of samples, as ours do.
    settings = dict(solver='lbfgs', max_iter=2000, class_weight='balanced')
    for fold in range(5):
        rest = fold_of != fold
        model = LogisticRegression(warm_start=True, tol=1e-4, **settings)
        for strength in sorted(GRID, reverse=True):
            model.C = 1 / (strength * rest.sum())
            model.fit(scaled[rest], y[rest])
            model.predict(scaled[~rest])
    model = LogisticRegression(C=1 / (l2 * len(x)), tol=1e-6, **settings)
    return model.fit(scaled, y).predict(scaled)
