"""How unlike all known cells a cell is, by its features."""

import numpy as np

from bm_plugins.errors import InputError

from .conformal import bound_of_next

# Similarities held at once; 64 MiB as float64.
_AT_ONCE = 2**23


def knn_distance(
    features: np.ndarray, reference: np.ndarray, neighbours: int = 5
) -> np.ndarray:
    """Mean cosine distance to the nearest reference cells.

    Sun et al. 2022, "Out-of-Distribution Detection with Deep Nearest
    Neighbors" (arXiv:2204.06507), section 3, with the mean over the k nearest
    instead of the k-th, as Angiulli and Pizzuti 2002. Of features of unit
    length, half the squared Euclidean distance is the cosine distance. A
    feature vector of zeros is at distance 1 of everything.

    Args:
        features (np.ndarray): Features (N, D) of the cells, of any float
            type; taken in pieces, so that memory does not grow with N x M.
        reference (np.ndarray): Features (M, D) of known cells.
        neighbours (int): Number k of nearest ones; no more than there are
            count. Defaults to 5.

    Returns:
        np.ndarray: Distances (N,) float32, from 0 (same direction) to 2.

    Raises:
        InputError: There is no reference cell, D differs, or a feature is
            infinite or no number.
    """
    if not len(reference) or features.shape[1] != reference.shape[1]:
        raise InputError(
            f'features are {tuple(features.shape)} and reference cells '
            f'{tuple(reference.shape)}; expected at least one reference cell '
            'and as many columns in both: take them from the same model.'
        )
    known = _unit(reference).T
    count = min(neighbours, len(reference))
    distances = np.empty(len(features), np.float32)
    step = max(1, _AT_ONCE // len(reference))
    for start in range(0, len(features), step):
        near = _unit(features[start : start + step]) @ known
        near = np.partition(near, -count, axis=1)[:, -count:]
        # Rounding alone can make the distance to oneself negative.
        distances[start : start + step] = (1 - near.mean(1)).clip(min=0)
    if not np.isfinite(distances).all():
        raise InputError(
            f'{(~np.isfinite(distances)).sum()} of {len(distances)} cells '
            'have features that are infinite or not numbers: the model is '
            'broken. Train or convert it again.'
        )
    return distances


def _unit(features: np.ndarray) -> np.ndarray:
    """Rows of length 1 in float64; of zeros, zeros."""
    features = features.astype(float)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    with np.errstate(invalid='ignore'):  # said by the distances
        return features / np.maximum(length, 1e-12)


def distance_threshold(distances: np.ndarray, quantile: float) -> float:
    """The distance beyond which a cell counts as unlike the known ones.

    Of cells like those of validation, at most the share 1 - ``quantile`` is
    farther (:func:`.bound_of_next`); the
    rule is the conformal test for outliers of Bates et al. 2023
    (arXiv:2104.08279).

    Args:
        distances (np.ndarray): Distances (V,) of validation cells, by
             :func:`knn_distance` to the same reference.
        quantile (float): Share of them to accept, between 0 and 1.

    Returns:
        float: Threshold; cells with a greater distance are set apart. With
        too few validation cells infinity, so that none is.

    Raises:
        InputError: As :func:`bound_of_next`.
    """
    return bound_of_next(distances, quantile)
