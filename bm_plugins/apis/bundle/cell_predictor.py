"""What a bundle says of images: class, certainty, likeness."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.conformal import (
    conformal_thresholds,
    prediction_sets,
)
from bm_plugins.evaluation.functional.feature_distance import (
    distance_threshold,
    knn_distance,
)
from bm_plugins.utils.environment import may_have_gpu

from .bundle import Bundle
from .feature_graph import graph_network, graph_runs

# Share of the calibration images that count as like the known ones.
LIKE = 0.99
UNSURE, UNLIKE = 'unsure', 'unlike'


@dataclass(frozen=True)
class Judgement:
    """What is said of N cells.

    Attributes:
        probabilities (np.ndarray): Calibrated (N, C), float64.
        sets (np.ndarray): Classes that the error rate leaves (N, C), bool.
        distances (np.ndarray): To the nearest reference cells (N,).
        flags (tuple[str, ...]): ``unlike``, ``unsure`` or empty (N,).
    """

    probabilities: np.ndarray
    sets: np.ndarray
    distances: np.ndarray
    flags: tuple[str, ...]

    @property
    def labels(self) -> np.ndarray:
        """Likeliest classes (N,)."""
        return self.probabilities.argmax(1)

    def codes(self, row: int, classes: Sequence[str]) -> tuple[str, ...]:
        """Classes of a cell's set, the likeliest first."""
        order = (-self.probabilities[row]).argsort(kind='stable')
        return tuple(classes[i] for i in order if self.sets[row, i])


class CellPredictor:
    """A bundle's network and thresholds.

    On the CPU the bundle's graph is run by onnxruntime, which is faster and
    needs neither torch nor the framework; without a graph, or on a GPU, it is
    the network itself.

    Args:
        bundle (Bundle): The model.
        device (str, optional): As torch names it. Defaults to None: the
            first GPU where there is one.
        error_rate (float): Share of prediction sets that may miss the true
            class, of the cells of each class. Defaults to 0.05.

    Attributes:
        features (Callable): From images (B, 3, H, W) uint8, RGB, to features
            (B, D) float32; arrays. InputError where a GPU's memory is too
            small.
        sure (np.ndarray): Thresholds (C,) of :func:`prediction_sets`.
        promised (np.ndarray): Classes (C,), bool, with calibration images
            enough for the error rate.
        like (float): Largest distance of a cell that is like the known ones.

    Raises:
        InputError: The error rate is no share, the device is not there, or
            the bundle is not whole.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: str | None = None,
        error_rate: float = 0.05,
    ) -> None:
        if not 0 < error_rate < 1:
            raise InputError(
                f'--error-rate {error_rate:g}: expected a share above 0 and '
                'below 1, as 0.05.'
            )
        self.features = _network(bundle, device)
        known = bundle.reference.features
        dim = bundle.weights['fc.weight'].shape[1]
        held = bundle.validation
        if not (len(held.labels) and len(known) and known.shape[1] == dim):
            raise InputError(
                'the bundle lacks calibration outputs or reference features '
                'of its own network. Publish it anew.'
            )
        self.bundle = bundle
        self.sure, self.promised = conformal_thresholds(
            probabilities(held.logits, bundle.temperature),
            held.labels,
            error_rate,
        )
        if np.isinf(self.sure).any():
            number = len(held.labels)
            raise InputError(
                f'--error-rate {error_rate:g}: the {number} calibration '
                f'images of the bundle allow {1 / (number + 1):.2g} at least. '
                'Give more, or publish the model with more calibration images.'
            )
        self.like = distance_threshold(held.distances, LIKE)

    def judge(self, features: np.ndarray) -> Judgement:
        """Classes, sets and flags.

        Args:
            features (np.ndarray): By :attr:`features` (N, D).

        Raises:
            InputError: They are not finite.
        """
        # In float64, so that the number of threads changes no digit.
        weight, bias = (
            self.bundle.weights[f'fc.{name}'].astype(float)
            for name in ('weight', 'bias')
        )
        logits = (features.astype(float) @ weight.T + bias).astype(np.float32)
        distances = knn_distance(features, self.bundle.reference.features)
        if not np.isfinite(logits).all():
            raise InputError(
                "the bundle's network gives outputs that are no numbers: its "
                'weights are broken. Publish it anew.'
            )
        scores = probabilities(logits, self.bundle.temperature)
        sets = prediction_sets(scores, self.sure)
        flags = tuple(
            UNLIKE if far else UNSURE if size != 1 else ''
            for far, size in zip(
                distances > self.like, sets.sum(1), strict=True
            )
        )
        return Judgement(scores, sets, distances, flags)


def _network(
    bundle: Bundle, device: str | None
) -> Callable[[np.ndarray], np.ndarray]:
    on_cpu = device == 'cpu' or (device is None and not may_have_gpu())
    if on_cpu and graph_runs(bundle):
        return graph_network(bundle.graph, bundle.weights)
    from .bundle_model import torch_network

    return torch_network(bundle, device)


def probabilities(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Calibrated probabilities (N, C) of logits (N, C), in float64."""
    scaled = np.asarray(logits, float) / temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True, initial=-np.inf))
    return powers / powers.sum(1, keepdims=True)
