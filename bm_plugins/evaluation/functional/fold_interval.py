"""The interval of a mean over cross-validation folds."""

import numpy as np
from scipy.stats import t


def fold_interval(scores: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Corrected interval of the mean of k fold scores.

    Folds share most of their training images, so that their spread is too
    small for Student's interval. Nadeau and Bengio 2003, "Inference for the
    Generalization Error", section 3, add the ratio of test to training
    images, 1 / (k - 1) here, to the 1 / k of the variance of a mean.

    Args:
        scores (np.ndarray): One score a fold (k,).
        level (float): Confidence. Defaults to 0.95.

    Returns:
        np.ndarray: Lower and upper ends (2,); NaN for one fold.
    """
    scores = np.asarray(scores, float)
    k = len(scores)
    if k < 2:
        return np.full(2, np.nan)
    variance = scores.var(ddof=1) * (1 / k + 1 / (k - 1))
    half = t.ppf((1 + level) / 2, k - 1) * np.sqrt(variance)
    return scores.mean() + np.array([-half, half])
