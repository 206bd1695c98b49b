"""Whether a probability of .8 is right four times in five."""

import numpy as np
from scipy.special import softmax

from bm_plugins.errors import InputError

BINS = 15


def reliability(
    scores: np.ndarray, labels: np.ndarray
) -> dict[str, np.ndarray]:
    """Confidence and accuracy in M = 15 bins of (0, 1], of equal width.

    Guo et al. 2017, "On Calibration of Modern Neural Networks"
    (arXiv:1706.04599), section 2.

    Args:
        scores (np.ndarray): Probabilities (N, C).
        labels (np.ndarray): True class indices (N,).

    Returns:
        dict[str, np.ndarray]: ``count``, mean ``confidence`` and ``accuracy``
        (M,), the means NaN in empty bins.
    """
    confidence, right, where = _binned(scores, labels)
    count = np.bincount(where, minlength=BINS)
    sums = [np.bincount(where, values, BINS) for values in (confidence, right)]
    means = [
        np.where(count > 0, total / np.maximum(count, 1), np.nan)
        for total in sums
    ]
    return dict(count=count, confidence=means[0], accuracy=means[1])


def debiased_calibration_error(
    scores: np.ndarray,
    labels: np.ndarray,
    replicates: int = 1000,
    seed: int = 0,
) -> tuple[float, float, float, float]:
    """The expected calibration error without its bias, and its interval.

    The plug-in error, the mean distance of confidence and accuracy (Guo et
    al., equation 5), is above 0 for a perfect model too, the more the fewer
    images (Kumar, Liang and Ma 2019, arXiv:1909.10155, section 5). Here the
    gaps of the bins are scaled by t; for each t normal sums of the bins tell
    how large the plug-in error gets. The estimate is the t whose median is
    the observed one, the interval those t for which it lies within the middle
    95 %. At t = 0 the labels are drawn from the stated probabilities
    (consistency resampling: Bröcker and Smith 2007), so that the lower end is
    0 where perfect calibration gives as much.

    Args:
        scores (np.ndarray): Probabilities (N, C).
        labels (np.ndarray): True class indices (N,).
        replicates (int): Draws. Defaults to 1000.
        seed (int): Their seed. Defaults to 0.

    Returns:
        tuple[float, float, float, float]: Estimate, lower and upper end, and
        the 97.5 % quantile of the plug-in error of perfect calibration.
    """
    confidence, right, where = _binned(scores, labels)
    n = len(labels)
    count = np.bincount(where, minlength=BINS)
    used = count > 0
    gap, stated, spread = (
        np.bincount(where, values, BINS)[used]
        for values in (
            confidence - right,
            confidence,
            confidence * (1 - confidence),
        )
    )
    count = count[used]
    error = np.abs(gap).sum() / n
    # A gap that chance explains says little of the direction: once without,
    # once with it; the interval holds both.
    shrunk = gap**3 / np.maximum(gap**2 + spread, 1e-12)
    shrunk *= np.abs(gap).sum() / max(np.abs(shrunk).sum(), 1e-12)
    draws = np.random.default_rng(seed).normal(size=(replicates, len(gap)))
    scales = np.linspace(0, 4, 81)
    found = []
    for way in (shrunk, gap):
        sums = scales[:, None] * way
        accuracy = (stated - sums * count / (count + 1)) / count
        accuracy = accuracy.clip(0, 1)
        variance = count * accuracy * (1 - accuracy) + sums**2 / count
        variance[0] = spread
        drawn = draws[:, None] * np.sqrt(variance)
        drawn += sums
        drawn = np.abs(drawn, out=drawn).sum(2) / n
        ends = np.quantile(drawn, [0.5, 0.975, 0.025], 0).T
        perfect = float(ends[0, 1])
        ends = np.maximum.accumulate(ends)
        found.append([np.interp(error, column, scales) for column in ends.T])
    (value, low, high), (_, lower, higher) = error * np.array(found)
    ends = value, min(low, lower), max(high, higher)
    return *(float(min(1, end)) for end in ends), perfect


def fit_temperature(
    scores: np.ndarray,
    labels: np.ndarray,
    tolerance: float = 1e-6,
    log_shift: np.ndarray | None = None,
) -> float:
    """The temperature T that makes probabilities of logits / T likeliest.

    Guo et al. 2017, section 4.2: the negative log-likelihood of validation
    images, convex in b = 1 / T, is minimised by bisection of its slope. A
    weak prior, b e^-b, keeps T near 1 where the images do not say it: without
    it T goes to 0 where all are right. It weighs as b - 1 - log(b), convex
    too, in the sum over the images.

    Args:
        scores (np.ndarray): Probabilities (N, C) of validation images.
        labels (np.ndarray): Their classes (N,).
        tolerance (float): Of the logarithm of T. Defaults to 1e-6.
        log_shift (np.ndarray, optional): Added to logits / T, (C,), as the
            logarithm of how often a class comes here by how often it came in
            training; -inf for one that does not come. Defaults to None: 0.

    Returns:
        float: T, within 1/100 and 100.

    Raises:
        InputError: An image is of a class with a shift of -inf.
    """
    logits = _logits(scores)
    shift = 0.0
    if log_shift is not None:
        shift = np.asarray(log_shift, float)
        if np.isneginf(shift[labels]).any():
            raise InputError(
                'the temperature is fitted to images of a class that '
                'log_shift rules out (-inf): leave these images out.'
            )
    of_label = logits[np.arange(len(labels)), labels].mean()

    def slope(log_inverse: float) -> float:
        inverse = np.exp(log_inverse)
        p = softmax(logits * inverse + shift, 1)
        prior = (1 - 1 / inverse) / len(labels)
        return (p * logits).sum(1).mean() - of_label + prior

    low, high = -np.log(100), np.log(100)
    while high - low > tolerance:
        middle = (low + high) / 2
        if slope(middle) > 0:
            high = middle
        else:
            low = middle
    return float(np.exp(-(low + high) / 2))


def apply_temperature(
    scores: np.ndarray,
    temperature: float,
    log_shift: np.ndarray | None = None,
) -> np.ndarray:
    """Probabilities (N, C) at another temperature.

    ``log_shift`` as for :func:`fit_temperature`.
    """
    logits = _logits(scores) / temperature
    return softmax(logits + (0 if log_shift is None else log_shift), 1)


def _logits(scores: np.ndarray) -> np.ndarray:
    # Files round small probabilities to 0.
    return np.log(np.maximum(np.asarray(scores, float), 1e-12))


def _binned(
    scores: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence, whether right, and bin of each image, (N,)."""
    scores = np.asarray(scores)
    confidence = scores.max(1).astype(float)
    right = (scores.argmax(1) == labels).astype(float)
    where = np.ceil(confidence * BINS).astype(int) - 1
    return confidence, right, where.clip(0, BINS - 1)
