"""Whether a probability of .8 is right four times in five."""

import numpy as np

from ..errors import InputError
from .intervals import percentile_interval

# Images up to which a bootstrap draws each of them.
_BY_ROW = 1_000_000


def reliability(
    scores: np.ndarray, labels: np.ndarray, bins: int = 15
) -> dict[str, np.ndarray]:
    """Confidence and accuracy in bins of equal width.

    Guo et al. 2017, "On Calibration of Modern Neural Networks"
    (arXiv:1706.04599), section 2.

    Args:
        scores (np.ndarray): Probabilities (N, C).
        labels (np.ndarray): True class indices (N,).
        bins (int): Number M of bins of (0, 1]. Defaults to 15.

    Returns:
        dict[str, np.ndarray]: ``count``, mean ``confidence`` and ``accuracy``
        (M,), the means NaN in empty bins.
    """
    confidence, right, where = _binned(scores, labels, bins)
    count = np.bincount(where, minlength=bins)
    sums = [np.bincount(where, values, bins) for values in (confidence, right)]
    means = [
        np.where(count > 0, total / np.maximum(count, 1), np.nan)
        for total in sums
    ]
    return dict(count=count, confidence=means[0], accuracy=means[1])


def expected_calibration_error(
    scores: np.ndarray, labels: np.ndarray, bins: int = 15
) -> float:
    """Mean distance of confidence and accuracy, Guo et al., equation 5.

    Arguments as for :func:`reliability`.
    """
    confidence, right, where = _binned(scores, labels, bins)
    gaps = np.bincount(where, confidence - right, bins)
    return float(np.abs(gaps).sum() / len(labels))


def calibration_interval(
    scores: np.ndarray,
    labels: np.ndarray,
    bins: int = 15,
    replicates: int = 1000,
    seed: int = 0,
) -> np.ndarray:
    """95 % interval (2,) of the expected calibration error.

    By bootstrap over the images, with the bias of the draws taken off: a draw
    scatters about the images as these do about their population, which adds
    to an absolute distance each time. Arguments as for :func:`reliability`;
    ``replicates`` and ``seed`` of the draws.

    Of more than a million images those of a bin whose gap is the same to
    1/1024 are one cell of a multinomial, at the mean of their gaps: a draw
    then costs as much as there are cells, and leaves out a spread of less
    than 0.0003 / sqrt(N).
    """
    confidence, right, where = _binned(scores, labels, bins)
    gap, n = confidence - right, len(labels)
    draw = _draw_rows if n <= _BY_ROW else _draw_cells
    draws = np.abs(draw(gap, where, bins, replicates, seed)).sum(1) / n
    bias = draws.mean() - np.abs(np.bincount(where, gap, bins)).sum() / n
    return percentile_interval(draws - bias).clip(0, 1)


def _draw_rows(
    gap: np.ndarray, where: np.ndarray, bins: int, replicates: int, seed: int
) -> np.ndarray:
    """Sums (replicates, bins) of the gaps of N images drawn one by one."""
    rng, n = np.random.default_rng(seed), len(gap)
    draws = np.empty((replicates, bins))
    for i in range(replicates):
        rows = rng.integers(n, size=n, dtype=np.int32)
        draws[i] = np.bincount(where[rows], gap[rows], bins)
    return draws


def _draw_cells(
    gap: np.ndarray, where: np.ndarray, bins: int, replicates: int, seed: int
) -> np.ndarray:
    """As :func:`_draw_rows`, by cells of nearly the same gap."""
    steps = 2048  # of the gaps from -1 to 1
    cell = where * (steps + 1) + ((gap + 1) * (steps / 2)).astype(np.int64)
    counts, sums = np.bincount(cell), np.bincount(cell, gap)
    (there,) = counts.nonzero()
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(gap), counts[there] / len(gap), replicates)
    drawn = times * (sums[there] / counts[there])
    starts = np.searchsorted(there, np.arange(bins) * (steps + 1))
    full = np.zeros((replicates, len(there) + 1))
    np.cumsum(drawn, 1, out=full[:, 1:])
    ends = np.append(starts[1:], len(there))
    return full[:, ends] - full[:, starts]


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
        p = _softmax(logits * inverse + shift)
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
    return _softmax(logits if log_shift is None else logits + log_shift)


def _logits(scores: np.ndarray) -> np.ndarray:
    # Files round small probabilities to 0.
    return np.log(np.maximum(np.asarray(scores, float), 1e-12))


def _softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits - logits.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


def _binned(
    scores: np.ndarray, labels: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence, whether right, and bin of each image, (N,)."""
    scores = np.asarray(scores)
    confidence = scores.max(1).astype(float)
    right = (scores.argmax(1) == labels).astype(float)
    where = np.ceil(confidence * bins).astype(int) - 1
    return confidence, right, where.clip(0, bins - 1)
