"""A bundle in the form of mmpretrain's inferencers."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.structures import DataSample
from PIL import Image

from bm_plugins.apis.prediction.cell_list import list_cells
from bm_plugins.datasets.image_io import pillow_pixels
from bm_plugins.datasets.value_range import value_bits
from bm_plugins.errors import InputError, UnreadableImage

from .bundle import Bundle
from .bundle_file import load_bundle
from .cell_predictor import CellPredictor, Judgement
from .model_warnings import field_warnings
from .read_cell import CellReader

CHANNEL_ORDERS = ('rgb', 'bgr')


class CellInferencer(BaseInferencer):
    """Predict images in Python.

    Called as :class:`mmpretrain.ImageClassificationInferencer`, with the same
    keys in the results and some more.

    Args:
        bundle (str, Path or Bundle): By ``tools/publish.py``.
        device (str, optional): Defaults to a GPU where there is one.
        error_rate (float): Share of prediction sets that may miss the true
            class, of the cells of each class. Defaults to 0.05.
        channel_order (str, optional): Of image arrays: ``'rgb'``, as Pillow,
            imageio and torchvision have it, or ``'bgr'``, as OpenCV. Defaults
            to None: arrays in colours are refused, as one order taken for the
            other gives wrong classes without a sign.
        um_per_px (float or str, optional): As for :class:`CellReader`.

    Attributes:
        classes (tuple[str, ...]): Codes (C,).
        skipped (list[tuple[str, str]]): Files of the last folder that could
            not be read, each with the reason.

    Raises:
        InputError: The bundle, the device, the error rate, the order or the
            scale is wrong.

    Tables, differential and report page come from
    :func:`bm_plugins.predict`, which is ``tools/predict.py``.

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
        channel_order: str | None = None,
        um_per_px: float | str | None = None,
    ) -> None:
        # Not upstream's, which loads a config and a checkpoint.
        if not isinstance(bundle, Bundle):
            bundle = load_bundle(bundle)
        if channel_order not in (None, *CHANNEL_ORDERS):
            raise InputError(
                f'channel_order={channel_order!r}: expected '
                f'{" or ".join(map(repr, CHANNEL_ORDERS))}.'
            )
        self.channel_order = channel_order
        self.um_per_px = um_per_px
        self.skipped: list[tuple[str, str]] = []
        self.predictor = CellPredictor(bundle, device, error_rate)
        self.classes = bundle.classes
        self.config = None
        self.pipeline = self._init_pipeline(bundle)

    def __call__(
        self,
        inputs: str | Path | np.ndarray | Image.Image | list,
        return_datasamples: bool = False,
        batch_size: int = 64,
    ) -> list[dict[str, Any]] | list[DataSample]:
        """Predict images.

        Args:
            inputs (str, Path, np.ndarray, Image or list): An image file, a
                folder of images, a PIL image, an array (H, W, 3) or
                (H, W, 4) in colours or (H, W) in grey, uint8, or a list of
                files and images. Of a folder, files that cannot be read are
                left out, named in the log and kept in ``skipped``.
            return_datasamples (bool): Give a :class:`DataSample` an image.
                Defaults to False.
            batch_size (int): Images at once. Defaults to 64.

        Returns:
            list[dict]: An image each: ``path`` (None of an image that was no
            file), ``pred_label`` (int), ``pred_class``
            (code), ``pred_score`` (its probability), ``pred_scores`` (C,),
            ``set`` (codes, the likeliest first), ``distance`` to the nearest
            training cells, ``flag`` (``unsure``, ``unlike`` or empty),
            ``field`` (how it differs from that of the training images, as
            in ``predictions.csv``) and ``features`` (D,).

        Raises:
            InputError: An input is no image, or one whose values or channels
                are in doubt.
            UnreadableImage: A named file cannot be used, or no file of a
                folder.
        """
        return super().__call__(inputs, return_datasamples, batch_size)

    def _init_pipeline(self, bundle: Bundle) -> Callable:
        reader = CellReader(bundle, um_per_px=self.um_per_px)

        def read(item: Any) -> tuple[str | None, np.ndarray, str]:
            if isinstance(item, str | Path):
                image, field = reader.read(item)
                return str(item), image, field
            image, field = reader.fit(_pixels(item, self.channel_order))
            return None, image, field

        self.reader = reader
        return read

    def _inputs_to_list(self, inputs: Any) -> list:
        self.skipped, self._of_folder = [], False
        if isinstance(inputs, list | tuple):
            inputs = list(inputs)
        elif isinstance(inputs, str | Path) and os.path.isdir(inputs):
            cells = list_cells(inputs)
            self._of_folder = True
            self.reader.bits = cells.bits
            return [cells.file(index) for index in range(len(cells))]
        else:
            inputs = [inputs]
        files = [str(item) for item in inputs if isinstance(item, str | Path)]
        self.reader.bits = value_bits(files)
        return inputs

    def preprocess(self, inputs: list, batch_size: int = 64) -> Iterator:
        """Batches of paths, images (B, 3, H, W) and fields."""
        fields: Counter[str] = Counter()
        for batch in self._get_chunk_data(self._read(inputs), batch_size):
            paths, images, differs = zip(*batch, strict=True)
            fields.update(differs)
            yield paths, np.stack(images), differs
        if self.skipped:
            path, reason = self.skipped[0]
            said = (
                f'{len(self.skipped)} of {len(inputs)} files could not be '
                f'read, the first: {path} ({reason})'
            )
            if not fields:
                raise UnreadableImage(f'{said}. Mend them.')
            print_log(f'{said}. All are in skipped.', logger='current')
        bundle = self.predictor.bundle
        if bundle.info.get('scale'):
            for text in field_warnings(bundle, fields, self.um_per_px):
                print_log(text, logger='current')

    def _read(
        self, inputs: list
    ) -> Iterator[tuple[str | None, np.ndarray, str]]:
        for item in inputs:
            try:
                yield self.pipeline(item)
            except UnreadableImage as fault:
                if not self._of_folder:
                    raise
                self.skipped.append((str(item), str(fault)))

    def forward(self, inputs: tuple) -> list[tuple]:
        """Paths, features, judgement and fields of a batch."""
        paths, images, fields = inputs
        features = self.predictor.features(images)
        return [(paths, features, self.predictor.judge(features), fields)]

    def visualize(self, inputs: list, preds: list) -> None:
        """Nothing is drawn; ``tools/predict.py`` makes a page."""

    def postprocess(
        self,
        preds: list[
            tuple[Sequence[str | None], np.ndarray, Judgement, Sequence]
        ],
        visualization: None,
        return_datasamples: bool = False,
    ) -> list[dict[str, Any]] | list[DataSample]:
        """One dict an image; see :meth:`__call__`."""
        results = [
            dict(
                path=paths[i],
                pred_scores=said.probabilities[i],
                pred_label=int(label),
                pred_score=float(said.probabilities[i, label]),
                pred_class=self.classes[label],
                set=said.codes(i, self.classes),
                distance=float(said.distances[i]),
                flag=said.flags[i],
                field=fields[i],
                features=features[i],
            )
            for paths, features, said, fields in preds
            for i, label in enumerate(said.labels)
        ]
        return [*map(_sample, results)] if return_datasamples else results


def _sample(result: dict[str, Any]) -> DataSample:
    names = ('path', 'pred_class', 'set', 'distance', 'flag', 'field')
    sample = DataSample(metainfo={name: result[name] for name in names})
    sample.set_pred_score(result['pred_scores'])
    return sample.set_pred_label(result['pred_label'])


def _pixels(image: Any, channel_order: str | None) -> np.ndarray:
    """An image that is no file as BGR (H, W, 3), uint8.

    Raises:
        InputError: It is none, or its values or channels are in doubt.
    """
    if isinstance(image, Image.Image):
        try:
            return pillow_pixels(image)
        except UnreadableImage as fault:
            raise InputError(
                f'PIL image of mode {image.mode}: {fault}.'
            ) from None
    if not isinstance(image, np.ndarray):
        raise InputError(
            f'an image of type {type(image).__name__}: expected a path, a PIL '
            'image or an array (H, W, 3) of uint8; of a tensor give '
            'tensor.permute(1, 2, 0).numpy(), of several images a list.'
        )
    what = f'an array {image.shape} of {image.dtype}'
    if image.dtype != np.uint8:
        raise InputError(
            f'{what}: expected uint8, from 0 to 255. Scale the values by the '
            'range that they use, as (image >> 4).astype(numpy.uint8) from 12 '
            'bits, or (image * 255).round().astype(numpy.uint8) from 0 to 1.'
        )
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
        turn = image.ndim == 3 and image.shape[0] in (1, 3, 4)
        raise InputError(
            f'{what}: expected (H, W, 3), (H, W, 4) or (H, W). '
            + (
                'Give image.transpose(1, 2, 0).'
                if turn
                else 'Of several images give a list.'
            )
        )
    if image.shape[2] == 1:
        return image.repeat(3, axis=2)
    if channel_order is None:
        raise InputError(
            f'{what} is in RGB or BGR, which it does not tell: say '
            "CellInferencer(..., channel_order='rgb') (Pillow, imageio, "
            "torchvision) or 'bgr' (OpenCV)."
        )
    return image[..., :3] if channel_order == 'bgr' else image[..., 2::-1]
