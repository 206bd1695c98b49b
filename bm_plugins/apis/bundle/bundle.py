"""A trained model with all that a prediction needs."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Validation:
    """What the model says of images that it was not trained on.

    Temperature, confusion matrix, conformal sets and the distance at which a
    cell counts as unlike all known ones are fitted on it.

    Attributes:
        logits (np.ndarray): (V, C) float32, before the temperature.
        labels (np.ndarray): True classes (V,) int64.
        distances (np.ndarray): Distances to the reference cells (V,) float32,
            by :func:`.knn_distance`.
        features (np.ndarray, optional): Of some of the images (K, D),
            float16, so that another classifier can be measured on them. None
            of a bundle of an earlier version.
        rows (np.ndarray, optional): Which images these are (K,), int64.
    """

    logits: np.ndarray
    labels: np.ndarray
    distances: np.ndarray
    features: np.ndarray | None = None
    rows: np.ndarray | None = None

    @property
    def right(self) -> int:
        """How many images get their true class."""
        return int((self.logits.argmax(1) == self.labels).sum())


@dataclass(frozen=True)
class Reference:
    """Training cells to compare with.

    Attributes:
        features (np.ndarray): (M, D) float16.
        labels (np.ndarray): Classes (M,) int64.
        paths (tuple[str, ...]): Of the images (M,), in their collection.
        pictures (tuple[bytes, ...]): The images (M,), small, as JPEG files.
    """

    features: np.ndarray
    labels: np.ndarray
    paths: tuple[str, ...]
    pictures: tuple[bytes, ...]


@dataclass(frozen=True)
class Bundle:
    """A backbone, its linear classifier, and what was measured of them.

    Attributes:
        classes (tuple[str, ...]): Codes (C,), in the order of the logits.
        full_names (tuple[str, ...]): Names (C,).
        backbone (dict): Config of the backbone.
        weights (dict[str, np.ndarray]): State of
            :class:`bm_plugins.apis.bundle.bundle_model.BundleModel`.
        size (tuple[int, int]): Width and height of the input, pixels.
        interpolation (str): How images are resized to it.
        mean (tuple[float, ...]): Of red, green and blue, of 0 to 255.
        std (tuple[float, ...]): As ``mean``.
        temperature (float): Of calibrated probabilities,
            softmax(logits / temperature).
        validation (Validation): Outputs on images it was not trained on.
        reference (Reference): Training cells.
        info (dict): Origin, versions and measured figures; JSON values.
        card (str): The model card, in Markdown.
        graph (bytes): The network from images to features, by
            :func:`.write_graph`; empty of a bundle of an earlier version.
        published (dict[str, np.ndarray]): ``weight`` and ``bias`` of the
            classifier as it was published, where labels have changed it
            since; else empty.
        digest (str): SHA-256 of all of the above; set where it was read or
            written.
    """

    classes: tuple[str, ...]
    full_names: tuple[str, ...]
    backbone: dict[str, Any]
    weights: dict[str, np.ndarray] = field(repr=False)
    size: tuple[int, int]
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    temperature: float
    validation: Validation = field(repr=False)
    reference: Reference = field(repr=False)
    info: dict[str, Any] = field(repr=False)
    card: str = field(repr=False)
    graph: bytes = field(default=b'', repr=False)
    published: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    digest: str = ''

    @property
    def prior(self) -> np.ndarray | None:
        """Shares of the classes (C,) that the classifier was fitted for.

        Its probabilities are of a slide with these. None of a bundle of an
        earlier version, which does not say.
        """
        said = self.info.get('prior')
        return None if said is None else np.array(said['shares'], float)
