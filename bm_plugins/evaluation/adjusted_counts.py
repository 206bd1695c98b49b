"""Shares of the classes, adjusted for the classifier's known errors."""

import numpy as np

from .intervals import percentile_interval
from .likeliest_shares import likeliest_shares

# Validation images from which on a class's errors count as known.
MIN_SUPPORT = 10


def errors_known(confusion: np.ndarray) -> np.ndarray:
    """Classes whose errors validation tells enough of to adjust for them.

    At least ``MIN_SUPPORT`` validation images, one of them recognised. Of the
    others nothing better is known than that they are always recognised, which
    is what the functions below take; the shares that they give for these
    classes are no estimates and should not be shown.

    Args:
        confusion (np.ndarray): Validation counts (C, C), true classes in
            rows, predicted ones in columns.

    Returns:
        np.ndarray: (C,) bool.
    """
    confusion = np.asarray(confusion)
    return (confusion.sum(1) >= MIN_SUPPORT) & (confusion.diagonal() > 0)


def adjusted_shares(
    counts: np.ndarray,
    confusion: np.ndarray,
    among: np.ndarray | None = None,
) -> np.ndarray:
    """The true shares under which the predicted counts are likeliest.

    Of cells with true shares p, the share sum_i p_i A_ij is predicted as
    class j, where A_ij is the share of validation images of class i that were
    predicted as j. The estimate maximises sum_j n_j log(sum_i p_i A_ij) over
    the shares that are not negative and sum to 1: the adjusted count of Forman
    2008 (Data Min. Knowl. Discov. 17:164-206) for several classes and within
    bounds, by the EM steps of Saerens et al. 2002 (Neural Comput. 14:21-41),
    with predicted classes in place of probabilities. It assumes that each
    class is confused as it was in validation.

    Args:
        counts (np.ndarray): Cells predicted as each class (C,).
        confusion (np.ndarray): Validation counts (C, C), true classes in
            rows. A class outside :func:`errors_known` is taken as always
            recognised.
        among (np.ndarray): Classes (C,), bool, whose shares sum to 1; the
            others take part in the estimate and are then left out. Defaults
            to all.

    Returns:
        np.ndarray: Shares (C,); NaN outside ``among`` and where no cell is
        left.
    """
    counts = np.asarray(counts, float)
    if not counts.sum():
        return np.full(len(counts), np.nan)
    rates = _rates(np.asarray(confusion, float), errors_known(confusion))
    return _within(likeliest_shares(counts[None], rates[None]), among)[0]


def adjusted_interval(
    counts: np.ndarray,
    confusion: np.ndarray,
    among: np.ndarray | None = None,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> np.ndarray:
    """Interval of the adjusted shares.

    Percentiles of the estimate on draws of both the counts and the rows of
    the confusion matrix, by the Bayesian bootstrap (Rubin 1981, Ann. Stat.
    9:130-134) with a prior: half a cell for each class (Jeffreys), so that a
    class that was not seen does not have the interval [0, 0], and one image
    shared by the classes for each row of the matrix (Perks), so that a class
    of which ten in ten were recognised is not sure to be.

    Args:
        counts (np.ndarray): As :func:`adjusted_shares`.
        confusion (np.ndarray): As there.
        among (np.ndarray): As there.
        replicates (int): Number of draws. Defaults to 1000.
        seed (int): Their seed. Defaults to 0.
        level (float): Confidence. Defaults to 0.95.

    Returns:
        np.ndarray: Lower and upper ends (C, 2); NaN where the share is.
    """
    counts, confusion = np.asarray(counts, float), np.asarray(confusion, float)
    if not counts.sum():
        return np.full((len(counts), 2), np.nan)
    rng = np.random.default_rng(seed)
    drawn = rng.gamma(counts + 0.5, size=(replicates, len(counts)))
    drawn *= counts.sum() / drawn.sum(1, keepdims=True)
    rows = rng.gamma(
        confusion + 1 / len(counts), size=(replicates, *confusion.shape)
    )
    rates = _rates(rows, errors_known(confusion))
    shares = _within(likeliest_shares(drawn, rates, missing=1e-3), among)
    ends = np.full((len(counts), 2), np.nan)
    kept = ~np.isnan(shares).all(0)
    ends[kept] = percentile_interval(shares.T[kept], level).T
    return ends


def _rates(confusion: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Rows as shares; those that are not known from the identity."""
    identity = np.eye(len(known))
    rows = np.where(known[:, None], confusion, identity)
    return rows / rows.sum(-1, keepdims=True)


def _within(shares: np.ndarray, among: np.ndarray | None) -> np.ndarray:
    if among is None:
        return shares
    kept = np.where(among, shares, np.nan)
    total = np.nansum(kept, -1, keepdims=True)
    return kept / np.where(total > 0, total, np.nan)
