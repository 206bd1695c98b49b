"""Intervals of scores, and a test of two classifiers."""

from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np
from scipy.special import betaincinv, stdtrit

from bm_plugins.errors import InputError


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


def goutte_gaussier(hits: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """95 % interval of the F1 of a class.

    Goutte and Gaussier 2005, "A Probabilistic Interpretation of Precision,
    Recall and F-Score", section 4: F1 = 2 U / (2 U + V), where U and V are
    gamma variables whose shapes are hits and errors, each with a prior's
    share. U / (U + V) = q is a beta variable, so that F1 = 2 q / (1 + q).
    The shares are .3 for what an end leans away from and .7 for the other:
    with theirs (1/2 and 1, at both ends) it covers .81 of small classes.

    Args:
        hits (np.ndarray): True positives (...).
        errors (np.ndarray): False positives and false negatives (...).

    Returns:
        np.ndarray: Lower and upper ends (2, ...); 0 without a hit, 1 without
        an error.
    """
    hits, errors = np.asarray(hits, float), np.asarray(errors, float)
    low = betaincinv(hits + 0.3, errors + 0.7, 0.025)
    high = betaincinv(hits + 0.7, errors + 0.3, 0.975)
    q = np.stack([np.where(hits, low, 0), np.where(errors, high, 1)])
    return 2 * q / (1 + q)


def percentile_interval(draws: np.ndarray) -> np.ndarray:
    """95 % percentile interval (2, ...) of bootstrap draws (..., R).

    Efron and Tibshirani 1993, chapter 13. Draws that are NaN (no class left
    to average) are left out.
    """
    return np.nanquantile(draws, [0.025, 0.975], axis=-1)


def bootstrap_matrices(
    labels: np.ndarray,
    runs: Sequence[np.ndarray],
    num_classes: int,
    replicates: int = 1000,
    seed: int = 0,
) -> Iterator[np.ndarray]:
    """Confusion matrices of runs on N test images drawn with replacement.

    The paired bootstrap (Efron and Tibshirani 1993, chapter 13): the same
    draw for every run. Images with the same label and predictions are one
    cell of a multinomial, so that a draw costs as much as there are cells.

    Args:
        labels (np.ndarray): True class indices (N,).
        runs (Sequence[np.ndarray]): Predicted indices (N,) of each run.
        num_classes (int): Number C of classes.
        replicates (int): Number R of draws. Defaults to 1000.
        seed (int): Seed of the draws. Defaults to 0.

    Yields:
        np.ndarray: (runs, r, C, C) int64, the r together R.

    Raises:
        InputError: The runs are not of the same images.
    """
    if any(len(run) != len(labels) for run in runs) or not len(labels):
        raise InputError(
            'the runs are of different numbers of test images, or of none: '
            f'{[len(run) for run in runs]} for {len(labels)} labels.'
        )
    cells, counts = _count_cells([labels, *runs], num_classes)
    pairs = cells[:, :1] * num_classes + cells[:, 1:]
    rng = np.random.default_rng(seed)
    share = counts / counts.sum()
    step = max(1, 4_000_000 // len(counts))  # to bound the memory
    for done in range(0, replicates, step):
        drawn = rng.multinomial(
            len(labels), share, min(step, replicates - done)
        )
        matrices = np.zeros(
            (len(runs), num_classes**2, len(drawn)), drawn.dtype
        )
        for run, pair in enumerate(pairs.T):
            np.add.at(matrices[run], pair, drawn.T)
        yield np.moveaxis(matrices, 1, 2).reshape(
            len(runs), len(drawn), num_classes, num_classes
        )


def bootstrap_means(
    values: np.ndarray, replicates: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of a mean.

    Args:
        values (np.ndarray): One value an image (N,).
        replicates (int): Number of draws. Defaults to 1000.
        seed (int): Seed of the draws. Defaults to 0.
    """
    rng, n = np.random.default_rng(seed), len(values)
    draws = np.array(
        [values[rng.integers(n, size=n)].mean() for _ in range(replicates)]
    )
    low, high = percentile_interval(draws)
    return float(low), float(high)


def _count_cells(
    columns: Sequence[np.ndarray], num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rows that occur, sorted, and how often.

    As ``np.unique`` of the rows, in linear time: after each column a row is
    known by the rank of what it holds so far.
    """
    rank = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        rank = rank * num_classes + column
        rank = ((np.bincount(rank) > 0).cumsum() - 1)[rank]
    counts = np.bincount(rank)
    cells = np.empty((len(counts), len(columns)), np.int64)
    for number, column in enumerate(columns):
        cells[rank, number] = column
    return cells, counts


def fold_interval(scores: np.ndarray) -> np.ndarray:
    """Corrected 95 % interval of the mean of k fold scores.

    Folds share most of their training images, so that their spread is too
    small for Student's interval. Nadeau and Bengio 2003, "Inference for the
    Generalization Error", section 3, add the ratio of test to training
    images, 1 / (k - 1) here, to the 1 / k of the variance of a mean.

    Args:
        scores (np.ndarray): One score a fold (k,).

    Returns:
        np.ndarray: Lower and upper ends (2,); NaN for one fold.
    """
    scores = np.asarray(scores, float)
    k = len(scores)
    if k < 2:
        return np.full(2, np.nan)
    variance = scores.var(ddof=1) * (1 / k + 1 / (k - 1))
    half = stdtrit(k - 1, 0.975) * np.sqrt(variance)
    return scores.mean() + np.array([-half, half])


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
    from scipy.stats import binomtest  # half a second

    right, other = first == labels, second == labels
    a, b = int((right & ~other).sum()), int((other & ~right).sum())
    return a, b, float(binomtest(a, a + b).pvalue) if a + b else 1.0
