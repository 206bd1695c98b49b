"""Intervals of proportions and of bootstrap draws."""

from statistics import NormalDist

import numpy as np
from scipy.special import betaincinv


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


def mean_of_proportions(hits: np.ndarray, total: np.ndarray) -> np.ndarray:
    """95 % interval (2,) of the mean of K proportions of their own trials.

    Zou and Donner 2008, "Construction of Confidence Limits about Effect
    Measures", equation 2: the distances to Wilson's ends, squared and added.
    Unlike a bootstrap's it has a width where all trials succeed.

    Args:
        hits (np.ndarray): Successes (K,).
        total (np.ndarray): Trials (K,), at least one each.
    """
    share = hits / total
    arms = np.sqrt(((wilson(hits, total) - share) ** 2).sum(1)) / len(share)
    return share.mean() + np.array([-1, 1]) * arms


def goutte_gaussier(
    hits: np.ndarray, errors: np.ndarray, level: float = 0.95
) -> np.ndarray:
    """Interval of the F1 of a class.

    Goutte and Gaussier 2005, "A Probabilistic Interpretation of Precision,
    Recall and F-Score", section 4: F1 = 2 U / (2 U + V), where U and V are
    gamma variables whose shapes are hits and errors, each with a prior's
    share. U / (U + V) = q is a beta variable, so that F1 = 2 q / (1 + q).
    The shares are .3 for what an end leans away from and .7 for the other:
    with theirs (1/2 and 1, at both ends) it covers .81 of small classes.

    Args:
        hits (np.ndarray): True positives (...).
        errors (np.ndarray): False positives and false negatives (...).
        level (float): Confidence. Defaults to 0.95.

    Returns:
        np.ndarray: Lower and upper ends (2, ...); 0 without a hit, 1 without
        an error.
    """
    hits, errors = np.asarray(hits, float), np.asarray(errors, float)
    tail = (1 - level) / 2
    low = betaincinv(hits + 0.3, errors + 0.7, tail)
    high = betaincinv(hits + 0.7, errors + 0.3, 1 - tail)
    q = np.stack([np.where(hits, low, 0), np.where(errors, high, 1)])
    return 2 * q / (1 + q)


def percentile_interval(draws: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Percentile interval (2, ...) of bootstrap draws (..., R).

    Efron and Tibshirani 1993, chapter 13. Draws that are NaN (no class left
    to average) are left out.
    """
    tail = (1 - level) / 2
    return np.nanquantile(draws, [tail, 1 - tail], axis=-1)
