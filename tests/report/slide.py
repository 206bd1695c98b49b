"""A slide of known cells, and a classifier whose errors are known."""

import numpy as np

from bm_plugins.evaluation.functional.prevalence import SlideShares


def scores_of(labels, number, rng, apart):
    """Right probabilities (N, C) at equal shares, of normal features.

    Features of class i have the mean ``apart`` on axis i and variance 1.
    """
    x = rng.normal(size=(len(labels), number))
    x[range(len(labels)), labels] += apart
    scores = np.exp(apart * (x - x.max(1, keepdims=True)))
    return scores / scores.sum(1, keepdims=True)


def slide_of(true, images, apart=3.0, seed=0):
    """Estimate of a slide, and its counts as a classifier took them.

    Args:
        true (list[int]): Cells of each class (C,).
        images (list[int]): Calibration images of each class (C,).
        apart (float): How well the classes are told apart.
        seed (int): Of the features.
    """
    number = len(true)
    rng = np.random.default_rng(seed)
    labels, known = (np.repeat(range(number), n) for n in (true, images))
    scores = scores_of(labels, number, rng, apart)
    estimate = SlideShares(scores, scores_of(known, number, rng, apart), known)
    return estimate, np.bincount(scores.argmax(1), minlength=number)
