"""Do two classifiers err equally often on the same images?"""

import numpy as np
from scipy.stats import binomtest


def mcnemar(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[int, int, float]:
    """McNemar's exact test.

    McNemar 1947; two-sided, by the binomial distribution of the images that
    just one of them gets right.

    Args:
        labels (np.ndarray): True classes (N,).
        first (np.ndarray): Predictions (N,).
        second (np.ndarray): Predictions (N,) on the same images.

    Returns:
        tuple[int, int, float]: Images that the first alone and the second
        alone has right, and the p-value.
    """
    right, other = first == labels, second == labels
    a, b = int((right & ~other).sum()), int((other & ~right).sum())
    return a, b, float(binomtest(a, a + b).pvalue) if a + b else 1.0
