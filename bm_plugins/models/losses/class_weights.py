"""Weights against unequal class counts."""

import numpy as np

from bm_plugins.errors import InputError


def class_weights(
    counts: np.ndarray, kind: str, beta: float = 0.9999
) -> np.ndarray:
    """Weight of each class by its number of training images.

    Args:
        counts (np.ndarray): Training images (C,).
        kind (str): ``'inverse_frequency'``, 1 / n; or ``'effective_number'``,
            (1 - beta) / (1 - beta^n), Cui et al. 2019 (arXiv:1901.05555),
            equation 2.
        beta (float): Of the effective number. Defaults to 0.9999.

    Returns:
        np.ndarray: Weights (C,), mean 1 over the classes with images and 0
        for the others.

    Raises:
        InputError: Another ``kind``, ``beta`` outside (0, 1), or no images.
    """
    counts = np.asarray(counts, float)
    present = counts > 0
    if not present.any():
        raise InputError('class weights: the training part is empty.')
    effective = counts[present]
    if kind == 'effective_number':
        if not 0 < beta < 1:
            raise InputError(f'beta={beta}: expected a number within 0 and 1.')
        # 1 - beta^n to full precision where it is near 0
        effective = -np.expm1(effective * np.log(beta))
    elif kind != 'inverse_frequency':
        raise InputError(
            f"kind={kind!r}: expected 'inverse_frequency' or "
            "'effective_number'."
        )
    weights = np.zeros(len(counts))
    weights[present] = 1 / effective / (1 / effective).mean()
    return weights
