"""Intervals of proportions and of bootstrap draws."""

from statistics import NormalDist

import numpy as np


def wilson(
    hits: np.ndarray, total: np.ndarray, level: float = 0.95
) -> np.ndarray:
    """Wilson's score interval of a binomial proportion.

    Wilson 1927; Brown, Cai and DasGupta 2001, "Interval Estimation for a
    Binomial Proportion", equation 4.

    Args:
        hits (np.ndarray): Successes (...).
        total (np.ndarray): Trials (...).
        level (float): Confidence. Defaults to 0.95.

    Returns:
        np.ndarray: Lower and upper ends (2, ...); 0 and 1 without a trial.
    """
    hits, total = np.asarray(hits, float), np.asarray(total, float)
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    middle = (hits + z2 / 2) / (total + z2)
    # The rest is z / (n + z²) · sqrt(h (n - h) / n + z² / 4).
    spread = hits * (total - hits) / np.maximum(total, 1) + z2 / 4
    half = np.sqrt(z2 * spread) / (total + z2)
    return np.stack([middle - half, middle + half]).clip(0, 1)


def percentile_interval(draws: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Percentile interval (2, ...) of bootstrap draws (..., R).

    Efron and Tibshirani 1993, chapter 13. Draws that are NaN (no class left
    to average) are left out.
    """
    tail = (1 - level) / 2
    return np.nanquantile(draws, [tail, 1 - tail], axis=-1)
