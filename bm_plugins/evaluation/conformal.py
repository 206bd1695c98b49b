"""Sets of classes that hold the true one at a promised rate."""

import numpy as np

from .order_statistic import bound_of_next


def conformal_threshold(
    probabilities: np.ndarray, labels: np.ndarray, error_rate: float
) -> float:
    """Threshold of split conformal prediction, fitted on validation.

    The score of an image is 1 minus the probability of its true class, "LAC"
    (Sadinle, Lei and Wasserman 2019, arXiv:1609.00451; Angelopoulos and Bates
    2021, arXiv:2107.07511, section 1). The threshold is the
    ceil((V + 1) (1 - error_rate))-th smallest score. On new images that are
    drawn as those of validation, the sets lack the true class in at most the
    share ``error_rate``: on average over all classes, not in each.

    Args:
        probabilities (np.ndarray): (V, C), as an array or a CPU tensor.
        labels (np.ndarray): True class indices (V,).
        error_rate (float): Share of sets that may miss, between 0 and 1.

    Returns:
        float: Threshold for :func:`prediction_sets`; infinity where V is too
        small for the promise (below 1 / error_rate - 1), and every set then
        holds all classes.

    Raises:
        InputError: ``error_rate`` is not between 0 and 1, or a probability
            is no number.
    """
    scores = _scores(probabilities)
    labels = np.asarray(labels)
    return bound_of_next(
        scores[np.arange(len(labels)), labels], 1 - error_rate
    )


def prediction_sets(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """The classes whose score is within the threshold.

    Args:
        probabilities (np.ndarray): (N, C), calibrated as those of validation,
            as an array or a CPU tensor.
        threshold (float): From :func:`conformal_threshold`.

    Returns:
        np.ndarray: Membership (N, C), bool. A set may be empty, where no
        class is likely enough, or hold several.
    """
    return _scores(probabilities) <= threshold


def coverage(sets: np.ndarray, labels: np.ndarray) -> tuple[int, int]:
    """How many sets hold the true class.

    The interval of the rate is that of a proportion,
    ``wilson(*coverage(sets, labels))``.

    Args:
        sets (np.ndarray): Membership (N, C), bool.
        labels (np.ndarray): True class indices (N,).

    Returns:
        tuple[int, int]: Sets that hold it, and N.
    """
    labels = np.asarray(labels)
    hits = np.asarray(sets)[np.arange(len(labels)), labels]
    return int(hits.sum()), len(labels)


def _scores(probabilities: np.ndarray) -> np.ndarray:
    # float64, so that both sides of a comparison round alike.
    return 1 - np.asarray(probabilities, np.float64)
