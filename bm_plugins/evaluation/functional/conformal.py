"""Sets of classes that hold the true one at a promised rate."""

import math

import numpy as np

from bm_plugins.errors import InputError


def bound_of_next(values: np.ndarray, level: float) -> float:
    """What the next value does not exceed, with a given probability.

    Of n values, the k-th smallest with k = ceil((n + 1) level): a further
    value, exchangeable with them, is no greater with probability k / (n + 1)
    or more, whatever their distribution (Angelopoulos and Bates 2021,
    arXiv:2107.07511, theorem 1). The plain quantile promises less than
    ``level``.

    Args:
        values (np.ndarray): Values (n,), as an array or a CPU tensor.
        level (float): Probability, between 0 and 1.

    Returns:
        float: The value; infinity where n is too small to promise anything,
        which is below level / (1 - level).

    Raises:
        InputError: ``level`` is not between 0 and 1, or a value is no number.
    """
    if not 0 < level < 1:
        raise InputError(
            f'a probability of {level:g} was asked for; expected one between '
            '0 and 1, as 0.95.'
        )
    values = np.sort(np.asarray(values, np.float64).ravel())
    if np.isnan(values).any():
        raise InputError(
            f'{np.isnan(values).sum()} of {len(values)} validation values '
            'are not numbers: the model gives no finite output on them. Train '
            'or convert it again.'
        )
    # The subtraction undoes roundings such as 100 * .07 > 7.
    rank = math.ceil((len(values) + 1) * level - 1e-9)
    return math.inf if rank > len(values) else float(values[rank - 1])


def conformal_thresholds(
    probabilities: np.ndarray, labels: np.ndarray, error_rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds of class-conditional conformal sets, fitted on validation.

    The score of an image is 1 minus the probability of its true class. The
    threshold of class k is the ceil((V_k + 1) (1 - error_rate))-th smallest
    score of its V_k images: Mondrian conformal prediction with the class as
    category (Vovk 2012, arXiv:1209.2673, section 3), the sets of Sadinle, Lei
    and Wasserman 2019 (arXiv:1609.00451), section 2.2. Of new images of class
    k, drawn as those of validation, at most the share ``error_rate`` have
    sets without it, however many images of which class come.

    Args:
        probabilities (np.ndarray): (V, C), as an array or a CPU tensor.
        labels (np.ndarray): True class indices (V,).
        error_rate (float): Share of sets that may miss, between 0 and 1.

    Returns:
        tuple[np.ndarray, np.ndarray]: Thresholds (C,) for
        :func:`prediction_sets`, and :func:`is_promised` (C,). A class without
        a promise has the threshold of the images of all classes together,
        which promises on average over their mixture alone; infinity where
        even these are too few.

    Raises:
        InputError: ``error_rate`` is not between 0 and 1, or a probability
            is no number.
    """
    scores, labels = _scores(probabilities), np.asarray(labels)
    own = scores[np.arange(len(labels)), labels]
    number, level = scores.shape[1], 1 - error_rate
    thresholds = np.full(number, bound_of_next(own, level))
    promised = is_promised(np.bincount(labels, minlength=number), error_rate)
    for k in np.flatnonzero(promised):
        thresholds[k] = bound_of_next(own[labels == k], level)
    return thresholds, promised


def is_promised(images: np.ndarray, error_rate: float) -> np.ndarray:
    """Whether so many images suffice: 1 / error_rate - 1, at .05 19.

    Of any shape.
    """
    # As bound_of_next rounds.
    return (np.asarray(images) + 1) * error_rate >= 1 - 1e-9


def prediction_sets(
    probabilities: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """The classes whose score is within their threshold.

    Args:
        probabilities (np.ndarray): (N, C), calibrated as those of validation,
            as an array or a CPU tensor.
        thresholds (np.ndarray): (C,), from :func:`conformal_thresholds`.

    Returns:
        np.ndarray: Membership (N, C), bool. A set may be empty, where no
        class is likely enough, or hold several.
    """
    return _scores(probabilities) <= thresholds


def coverage(sets: np.ndarray, labels: np.ndarray) -> tuple[int, int]:
    """How many of N sets (N, C) hold the true class, and N.

    The interval of the rate is that of a proportion,
    ``wilson(*coverage(sets, labels))``.
    """
    labels = np.asarray(labels)
    hits = np.asarray(sets)[np.arange(len(labels)), labels]
    return int(hits.sum()), len(labels)


def _scores(probabilities: np.ndarray) -> np.ndarray:
    # float64, so that both sides of a comparison round alike.
    return 1 - np.asarray(probabilities, np.float64)
