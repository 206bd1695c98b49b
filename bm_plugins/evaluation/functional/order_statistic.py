"""The order statistic that bounds the next value."""

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
