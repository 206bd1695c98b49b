"""Views made on the device, in batches."""

import logging
from functools import lru_cache
from typing import Any

import torch
from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import MODELS
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg

from bm_plugins.datasets.image_io import decode_image
from bm_plugins.datasets.transforms import (
    LoadCellImage,
    MultiCropViews,
    PackViews,
)
from bm_plugins.errors import InputError, UnreadableImage

from .batch_views import render_views
from .sync_free import SyncFreeViewsPreprocessor, labels_to_device


@MODELS.register_module()
class GPUViews(SyncFreeViewsPreprocessor):
    """Decodes files and renders their views where the model is.

    By ``data_preprocessor.type='GPUViews'`` the workers only read files and
    draw the random numbers; the views are those that ``MultiCropViews``
    would make of the same draws, but for rounding and, on a GPU, nvJPEG's.
    Arguments as mmpretrain's ``SelfSupDataPreprocessor``, and:

    Args:
        decode (str): ``'device'`` decodes plain JPEG files here, all others
            in the workers; ``'workers'`` decodes all there. Defaults to
            ``'device'``.

    Raises:
        InputError: ``decode`` is another word.
    """

    def __init__(self, *args: Any, decode: str = 'device', **kwargs: Any):
        super().__init__(*args, **kwargs)
        if decode not in ('device', 'workers'):
            raise InputError(
                f"data_preprocessor.decode={decode!r}: expected 'device' or "
                "'workers'."
            )
        self.decode = decode
        self._said = False

    def take_over(self, dataset: BaseDataset) -> None:
        """Leave to this what the data set's pipeline would do.

        Raises:
            InputError: Its pipeline is not ``LoadCellImage``,
                ``MultiCropViews`` and ``PackViews``, or it is to skip files
                that only turn out to be unreadable here.
        """
        kinds = (LoadCellImage, MultiCropViews, PackViews)
        transforms = getattr(
            getattr(dataset, 'pipeline', None), 'transforms', []
        )
        found = [type(transform) for transform in transforms]
        if found != [*kinds]:
            raise InputError(
                "data_preprocessor.type='GPUViews' needs the pipeline "
                f'{", ".join(kind.__name__ for kind in kinds)}; found '
                f'{", ".join(kind.__name__ for kind in found) or "none"}.'
            )
        skips = getattr(dataset, 'on_unreadable', 'stop') == 'skip'
        if skips and self.decode == 'device':
            raise InputError(
                "on_unreadable='skip' needs files decoded in the workers: "
                "set data_preprocessor.decode='workers'."
            )
        load, views, _ = transforms
        load.decodes = self.decode == 'workers'
        views.renders = False
        self.sizes = [size for size, _ in views.views]
        self.color_jitter = views.color_jitter

    @torch.no_grad()
    def forward(self, data: dict, training: bool = False) -> dict:
        """Render what is not yet rendered, and normalise.

        Args:
            data (dict): What :func:`collate_views` gives.
            training (bool): As upstream.

        Returns:
            dict: ``inputs``, normalised views (B, 3, S, S);
            ``data_samples``.
        """
        if not isinstance(data['inputs'], dict):
            return super().forward(data, training)
        inputs, samples = data['inputs'], data['data_samples']
        images = self._images(inputs, samples)
        views = [
            render_views(images, draws, size, self.color_jitter)
            for draws, size in zip(
                inputs['draws'].unbind(1), self.sizes, strict=True
            )
        ]
        labels_to_device(samples, self.device)
        views = [self._normalise(view, is_rgb=True) for view in views]
        return dict(inputs=views, data_samples=self.cast_data(samples))

    def _images(self, inputs: dict, samples: list) -> Tensor:
        """Images (B, 3, H, W), RGB, on the device; padded to the largest."""
        shapes = [tuple(shape) for shape in inputs['shapes']]
        if len({*shapes}) == 1 and len(shapes[0]) == 3:  # in one copy
            alike = inputs['images'].view(-1, *shapes[0])
            alike = alike.to(self.device, non_blocking=True)
            return alike.permute(0, 3, 1, 2).flip(1)
        lengths = [torch.Size(shape).numel() for shape in shapes]
        parts = inputs['images'].split(lengths)
        files = [i for i, shape in enumerate(shapes) if len(shape) == 1]
        images: list[Any] = [
            None
            if len(shape) == 1
            else part.view(shape)
            .to(self.device, non_blocking=True)
            .permute(2, 0, 1)
            .flip(0)
            for part, shape in zip(parts, shapes, strict=True)
        ]
        if files:
            decoded = self._decode([parts[i] for i in files], files, samples)
            for i, image in zip(files, decoded, strict=True):
                images[i] = image
        height, width = (max(img.size(d) for img in images) for d in (1, 2))
        if all(img.shape[1:] == (height, width) for img in images):
            return torch.stack(images)
        batch = images[0].new_zeros(len(images), 3, height, width)
        for row, img in zip(batch, images, strict=True):
            row[:, : img.size(1), : img.size(2)] = img
        return batch

    def _decode(
        self, files: list[Tensor], places: list[int], samples: list
    ) -> list[Tensor]:
        try:
            return _decode_files(files, self.device)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:  # it does not say which
            if not self._said:
                self._said = True
                print_log(
                    f'A batch is decoded on the CPU instead ({error}). If '
                    'this is not about single files, set '
                    "data_preprocessor.decode='workers'.",
                    logger='current',
                    level=logging.WARNING,
                )
            images = []
            for file, place in zip(files, places, strict=True):
                try:
                    image = decode_image(file.numpy().tobytes())
                except ValueError as error:
                    raise UnreadableImage(
                        f'cannot read image {samples[place].img_path}. '
                        'Restore the file, or leave it out by writing the '
                        'manifest anew: tools/prepare_matek.py.'
                    ) from error
                rgb = torch.from_numpy(image[..., ::-1].copy())
                images.append(rgb.permute(2, 0, 1).to(self.device))
            return images


@lru_cache
def _decode_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


def _decode_files(files: list[Tensor], device: torch.device) -> list[Tensor]:
    """Decode plain JPEG files to RGB (3, H, W) on the device."""
    if device.type != 'cuda':
        return decode_jpeg(files, ImageReadMode.RGB, device=device)
    # nvJPEG writes on a stream of torchvision's own, which does not wait for
    # steps in the queue: memory must not be what these still read.
    ours = torch.cuda.current_stream(device)
    side = _decode_stream(device)
    with torch.cuda.stream(side):
        images = decode_jpeg(files, ImageReadMode.RGB, device=device)
    ours.wait_stream(side)
    for image in images:
        image.record_stream(ours)
    return images
