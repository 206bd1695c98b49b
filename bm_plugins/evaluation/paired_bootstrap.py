"""Is the difference of two classifiers more than the draw of test images?"""

from collections.abc import Sequence

import numpy as np

from ..errors import InputError


def macro_f1_differences(
    labels: np.ndarray,
    before: Sequence[np.ndarray],
    after: Sequence[np.ndarray],
    replicates: int = 10_000,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Differences in macro F1 over bootstrap draws of the test images.

    The paired bootstrap (Efron and Tibshirani 1993, chapter 13): each
    replicate draws N test images with replacement, the same ones for every
    run before and after. Classes are those with test images.

    Args:
        labels (np.ndarray): True class indices (N,).
        before (Sequence[np.ndarray]): Predicted indices (N,) of each run, the
            pairs in the same order as ``after``.
        after (Sequence[np.ndarray]): Likewise, of the runs compared.
        replicates (int): Number R of draws. Defaults to 10,000.
        seed (int): Seed of the draws.

    Returns:
        tuple[np.ndarray, np.ndarray]: The differences after - before on the
        test images as they are (runs,), and in the draws (runs, R).

    Raises:
        InputError: The runs are not as many, or not of the same images.
    """
    runs = [*before, *after]
    if len(before) != len(after) or not before:
        raise InputError(
            f'{len(before)} runs before and {len(after)} after: give pairs.'
        )
    if any(len(run) != len(labels) for run in runs):
        raise InputError('the runs are of different numbers of test images.')
    rng = np.random.default_rng(seed)
    count = len(labels)
    share = np.full(count, 1 / count)

    def differences(weights: np.ndarray) -> np.ndarray:
        scores = [_macro_f1(labels, np.asarray(run), weights) for run in runs]
        return np.stack(scores[len(before) :]) - scores[: len(before)]

    drawn = [
        differences(rng.multinomial(count, share, min(100, replicates - done)))
        for done in range(0, replicates, 100)  # to bound the memory
    ]
    return differences(np.ones((1, count)))[:, 0], np.hstack(drawn)


def interval(draws: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Percentile interval (2, ...) of bootstrap draws (..., R)."""
    tail = (1 - level) / 2
    return np.quantile(draws, [tail, 1 - tail], axis=-1)


def _macro_f1(
    labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Macro F1 (R,) over images counted ``weights`` (R, N) times each."""
    classes = np.unique(labels)
    true = labels[:, None] == classes
    said = predictions[:, None] == classes
    hits = weights @ (true & said)
    either = weights @ true.astype(float) + weights @ said.astype(float)
    f1 = np.divide(
        2 * hits, either, out=np.zeros_like(either), where=either > 0
    )
    return f1.mean(axis=1)
