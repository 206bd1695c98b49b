"""What a bundle says of images: class, certainty, likeness."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.conformal import (
    conformal_thresholds,
    prediction_sets,
)
from bm_plugins.evaluation.functional.feature_distance import (
    distance_threshold,
    knn_distance,
)

from .bundle import Bundle
from .bundle_model import build_model, full_float32

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

    Args:
        bundle (Bundle): The model.
        device (str, optional): As torch names it. Defaults to None: the
            first GPU where there is one.
        error_rate (float): Share of prediction sets that may miss the true
            class, of the cells of each class. Defaults to 0.05.

    Attributes:
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
        self.device = find_device(device)
        model = build_model(bundle)
        known = bundle.reference.features
        dim = bundle.weights['fc.weight'].shape[1]
        held = bundle.validation
        if not (len(held.labels) and len(known) and known.shape[1] == dim):
            raise InputError(
                'the bundle lacks calibration outputs or reference features '
                'of its own network. Publish it anew.'
            )
        self.bundle = bundle
        self.model = model.to(self.device)
        self.reference = known.to(self.device).float()
        self.sure, self.promised = conformal_thresholds(
            probabilities(held.logits, bundle.temperature),
            held.labels.numpy(),
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

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """Features (B, D) of images (B, 3, H, W), RGB of 0 to 255.

        Raises:
            InputError: The GPU's memory is too small.
        """
        try:
            images = images.to(self.device, non_blocking=True)
            return self.model(images)[0].float()
        except torch.cuda.OutOfMemoryError as error:
            raise InputError(
                f'{len(images)} images at once do not fit into the memory of '
                f'{self.device}. Give a smaller --batch-size.'
            ) from error

    @torch.inference_mode()
    def judge(self, features: Tensor) -> Judgement:
        """Classes, sets and flags.

        Args:
            features (Tensor): By :meth:`features` (N, D).

        Raises:
            InputError: They are not finite.
        """
        # The number of threads must not change the last bits.
        with _one_thread(), full_float32():
            logits = self.model.fc(features).cpu()
            distances = knn_distance(features, self.reference).cpu().numpy()
        if not logits.isfinite().all():
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


def probabilities(logits: Tensor, temperature: float) -> np.ndarray:
    """Calibrated probabilities (N, C) of logits (N, C), in float64."""
    return (logits.double() / temperature).softmax(1).numpy()


def find_device(name: str | None) -> torch.device:
    """The device of a name.

    Args:
        name (str, optional): None for the first GPU, else the CPU.

    Raises:
        InputError: There is no such device.
    """
    if name is None:
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f'--device {name}: there is no such device here. Give cpu, or '
            'leave it out.'
        ) from error
    if device.type not in ('cpu', 'cuda'):
        raise InputError(f'--device {name}: expected cpu, cuda or cuda:1.')
    return device


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
