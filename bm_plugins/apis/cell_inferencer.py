"""A bundle in the form of mmpretrain's inferencers."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.structures import DataSample
from torch import Tensor

from .bundle import Bundle
from .bundle_file import load_bundle
from .cell_list import list_cells
from .cell_predictor import CellPredictor, Judgement
from .read_cell import CellReader


class CellInferencer(BaseInferencer):
    """Predict images in Python.

    Called as :class:`mmpretrain.ImageClassificationInferencer`, with the same
    keys in the results and some more.

    Args:
        bundle (str, Path or Bundle): By ``tools/publish.py``.
        device (str, optional): Defaults to a GPU where there is one.
        error_rate (float): Share of prediction sets that may miss the true
            class. Defaults to 0.05.

    Attributes:
        classes (tuple[str, ...]): Codes (C,).

    Raises:
        InputError: The bundle, the device or the error rate is wrong.

    Examples:
        >>> inferencer = CellInferencer('cells.bundle')  # doctest: +SKIP
        >>> inferencer('a.jpg')[0]['pred_class']  # doctest: +SKIP
        'BLA'
    """

    def __init__(
        self,
        bundle: str | Path | Bundle,
        device: str | None = None,
        error_rate: float = 0.05,
    ) -> None:
        # Not upstream's, which loads a config and a checkpoint.
        if not isinstance(bundle, Bundle):
            bundle = load_bundle(bundle)
        self.predictor = CellPredictor(bundle, device, error_rate)
        self.model = self.predictor.model
        self.classes = bundle.classes
        self.config = None
        self.pipeline = self._init_pipeline(bundle)

    def __call__(
        self,
        inputs: str | Path | np.ndarray | list,
        return_datasamples: bool = False,
        batch_size: int = 64,
    ) -> list[dict[str, Any]] | list[DataSample]:
        """Predict images.

        Args:
            inputs (str, Path, np.ndarray or list): An image file, a folder of
                images, an image (H, W, 3) uint8 in BGR, or a list of files
                and images.
            return_datasamples (bool): Give a :class:`DataSample` an image.
                Defaults to False.
            batch_size (int): Images at once. Defaults to 64.

        Returns:
            list[dict]: An image each: ``pred_label`` (int), ``pred_class``
            (code), ``pred_score`` (its probability), ``pred_scores`` (C,),
            ``set`` (codes, the likeliest first), ``distance`` to the nearest
            training cells, ``flag`` (``unsure``, ``unlike`` or empty) and
            ``features`` (D,).

        Raises:
            UnreadableImage: A file cannot be used.
        """
        return super().__call__(inputs, return_datasamples, batch_size)

    def _init_pipeline(self, bundle: Bundle) -> Callable:
        reader = CellReader(bundle)

        def read(image: str | Path | np.ndarray) -> Tensor:
            if isinstance(image, np.ndarray):
                return torch.from_numpy(reader.resize(image))
            return torch.from_numpy(reader(image))

        return read

    def _inputs_to_list(
        self, inputs: str | Path | np.ndarray | list
    ) -> list[str | Path | np.ndarray]:
        if isinstance(inputs, list | tuple):
            return list(inputs)
        if isinstance(inputs, str | Path) and os.path.isdir(inputs):
            cells = list_cells(inputs)
            return [cells.file(index) for index in range(len(cells))]
        return [inputs]

    def preprocess(self, inputs: list, batch_size: int = 64) -> Iterator:
        """Batches (B, 3, H, W) of the images."""
        images = map(self.pipeline, inputs)
        yield from map(torch.stack, self._get_chunk_data(images, batch_size))

    def forward(self, inputs: Tensor) -> list[tuple[Tensor, Judgement]]:
        """Features and judgement of a batch."""
        features = self.predictor.features(inputs)
        return [(features, self.predictor.judge(features))]

    def visualize(self, inputs: list, preds: list) -> None:
        """Nothing is drawn; ``tools/predict.py`` makes a page."""

    def postprocess(
        self,
        preds: list[tuple[Tensor, Judgement]],
        visualization: None,
        return_datasamples: bool = False,
    ) -> list[dict[str, Any]] | list[DataSample]:
        """One dict an image; see :meth:`__call__`."""
        results = [
            dict(
                pred_scores=said.probabilities[i],
                pred_label=int(label),
                pred_score=float(said.probabilities[i, label]),
                pred_class=self.classes[label],
                set=said.codes(i, self.classes),
                distance=float(said.distances[i]),
                flag=said.flags[i],
                features=features[i].cpu().numpy(),
            )
            for features, said in preds
            for i, label in enumerate(said.labels)
        ]
        return [*map(_sample, results)] if return_datasamples else results


def _sample(result: dict[str, Any]) -> DataSample:
    names = ('pred_class', 'set', 'distance', 'flag')
    sample = DataSample(metainfo={name: result[name] for name in names})
    sample.set_pred_score(result['pred_scores'])
    return sample.set_pred_label(result['pred_label'])
