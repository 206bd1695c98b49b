"""Maximum likelihood of shares that are seen through an error matrix."""

import numpy as np

_MAX_ROUNDS = 3000


def likeliest_shares(
    counts: np.ndarray, rates: np.ndarray, missing: float = 1e-6
) -> np.ndarray:
    """Shares p on the simplex with the greatest sum_j n_j log(sum_i p_i A_ij).

    By EM: a step multiplies each share by its gain, sum_j w_j A_ij / q_j with
    w = n / sum(n) and q = p A. As the likelihood is concave, the mean log
    likelihood of no shares is above the present one by more than the largest
    gain - 1; that says when to stop, after 3000 rounds at the latest. In a
    round, two EM steps are drawn out to a long one (SQUAREM, scheme S3 of
    Varadhan and Roland 2008, Scand. J. Stat. 35:335-353), cut at the bounds of
    the simplex and taken if it is no less likely, and an EM step follows; so
    the likelihood never falls.

    Args:
        counts (np.ndarray): R problems' counts n (R, C), each with a sum
            above 0.
        rates (np.ndarray): Their matrices A (R, C, C), rows summing to 1,
            with a diagonal above 0, so that any counts are possible.
        missing (float): Log likelihood of all counts by which a solution may
            be short of the best. Defaults to 1e-6.

    Returns:
        np.ndarray: Shares (R, C). Where several are equally likely, as with
        equal rows of A, those near the counts' own shares.
    """
    total = counts.sum(1, keepdims=True)
    weights = counts / total
    # Not below what float64 can tell from 1.
    enough = np.maximum(missing / total[:, 0], 1e-13)
    found = (counts + 1) / (total + counts.shape[1])
    left, shares = np.arange(len(counts)), found
    for _ in range(_MAX_ROUNDS):
        gain = _gain(weights, rates, shares)
        going = gain.max(1) - 1 > enough
        if going.mean() < 0.7 or not going.any():
            found[left] = shares
            left, weights, rates, shares, gain, enough = (
                x[going] for x in (left, weights, rates, shares, gain, enough)
            )
        if not len(left):
            break
        shares = _long_step(weights, rates, shares, shares * gain)
    found[left] = shares
    return found


def _long_step(
    weights: np.ndarray, rates: np.ndarray, start: np.ndarray, one: np.ndarray
) -> np.ndarray:
    two = one * _gain(weights, rates, one)
    step, bend = one - start, two - 2 * one + start
    norms = [np.sqrt((x**2).sum(1, keepdims=True)) for x in (step, bend)]
    # At a solution both are 0 but for rounding; no step is that long.
    length = np.clip(norms[0] / np.maximum(norms[1], 1e-300), 1, 1e6)
    far = start + 2 * length * step + length**2 * bend
    far = np.maximum(far, 0.1 * two)
    far /= far.sum(1, keepdims=True)
    better = _mean_log(weights, rates, far) >= _mean_log(weights, rates, two)
    far = np.where(better[:, None], far, two)
    return far * _gain(weights, rates, far)


def _mean_log(
    weights: np.ndarray, rates: np.ndarray, shares: np.ndarray
) -> np.ndarray:
    logs = np.log(
        _predicted(rates, shares), where=weights > 0, out=weights * 0
    )
    return (weights * logs).sum(1)


def _gain(
    weights: np.ndarray, rates: np.ndarray, shares: np.ndarray
) -> np.ndarray:
    ratio = np.divide(
        weights,
        _predicted(rates, shares),
        out=np.zeros_like(weights),
        where=weights > 0,
    )
    return (rates @ ratio[..., None])[..., 0]


def _predicted(rates: np.ndarray, shares: np.ndarray) -> np.ndarray:
    return (shares[:, None] @ rates)[:, 0]
