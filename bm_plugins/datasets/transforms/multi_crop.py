"""Random views of one cell for SwAV."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS

from ...errors import InputError


def random_resized_crop(
    img: np.ndarray,
    size: int,
    scale: Sequence[float],
    rng: np.random.Generator,
    ratio: Sequence[float] = (3 / 4, 4 / 3),
) -> np.ndarray:
    """A crop of random area and aspect ratio, resized to a square.

    Szegedy et al. 2015, "Going deeper with convolutions", section 6.

    Args:
        img (np.ndarray): Image (H, W, 3), uint8.
        size (int): Side of the result in pixels.
        scale (Sequence[float]): Least and greatest area, as a share of the
            image.
        rng (np.random.Generator): Source of the draw.
        ratio (Sequence[float]): Least and greatest width / height, drawn
            uniformly in the logarithm.

    Returns:
        np.ndarray: (size, size, 3), uint8.
    """
    height, width = img.shape[:2]
    for _ in range(10):
        area = height * width * rng.uniform(*scale)
        aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w = round(math.sqrt(area * aspect))
        h = round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            break
    else:  # no draw fitted: the largest centred square
        w = h = min(height, width)
        top, left = (height - h) // 2, (width - w) // 2
        return _resize(img[top : top + h, left : left + w], size)
    top = int(rng.integers(0, height - h + 1))
    left = int(rng.integers(0, width - w + 1))
    return _resize(img[top : top + h, left : left + w], size)


def _resize(img: np.ndarray, size: int) -> np.ndarray:
    shrinks = img.shape[0] > size
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(img, (size, size), interpolation=interpolation)


def jitter_hsv(
    img: np.ndarray,
    hue: float,
    saturation: float,
    value: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Shift the hue, scale saturation and value, each at random.

    Args:
        img (np.ndarray): BGR image (H, W, 3), uint8.
        hue (float): Greatest shift in degrees, either way.
        saturation (float): Greatest relative change, either way.
        value (float): Greatest relative change, either way.
        rng (np.random.Generator): Source of the draw.

    Returns:
        np.ndarray: BGR image (H, W, 3), uint8.
    """
    # OpenCV's 8-bit hue has steps of 2 degrees, 0 to 179.
    shift = rng.uniform(-hue, hue) / 2
    factors = 1 + rng.uniform(-1, 1, 2) * (saturation, value)
    levels = np.arange(256, dtype=np.float32)
    table = np.stack(
        [
            np.round(levels + shift) % 180,
            np.clip(np.round(levels * factors[0]), 0, 255),
            np.clip(np.round(levels * factors[1]), 0, 255),
        ],
        axis=-1,
    ).astype(np.uint8)
    hsv = cv2.cvtColor(img, cv2.COLOR_BGR2HSV)
    return cv2.cvtColor(cv2.LUT(hsv, table[None]), cv2.COLOR_HSV2BGR)


@TRANSFORMS.register_module()
class MultiCropViews(BaseTransform):
    """Random views of an image: crop, HSV jitter, flips on both axes.

    The paper's equation 5 (two views) and the multi-crop of SwAV
    (arXiv:2006.09882, section 3.2). Each view is a function of (seed, epoch,
    position in the epoch, view), whichever worker or rank draws it.

    **Required keys:** ``img`` (H, W, 3) BGR uint8, and ``draw``, which a
    :class:`DrawBatchSampler` gives. **Modified:** ``img``, a list of views.

    Args:
        views (Sequence[dict]): ``num``, ``size`` (pixels) and ``scale``
            (least and greatest share of the area) of each group of views,
            the views of the assignments first.
        hue (float): Greatest shift of the hue in degrees.
        saturation (float): Greatest relative change of the saturation.
        value (float): Greatest relative change of the value.
        jitter_prob (float): Probability of the HSV jitter. Defaults to 0.8.
        flip_prob (float): Probability of a flip, for each axis. Defaults to
            0.5.

    Raises:
        InputError: The data loader gives no draw.
    """

    def __init__(
        self,
        views: Sequence[dict],
        hue: float,
        saturation: float,
        value: float,
        jitter_prob: float = 0.8,
        flip_prob: float = 0.5,
    ) -> None:
        self.views = [
            (view['size'], tuple(view['scale']))
            for view in views
            for _ in range(view['num'])
        ]
        self.jitter = (hue, saturation, value)
        self.jitter_prob = jitter_prob
        self.flip_prob = flip_prob

    def transform(self, results: dict) -> dict:
        """Replace ``img`` by its views."""
        if 'draw' not in results:
            raise InputError(
                'MultiCropViews needs to know each draw: set batch_sampler='
                "dict(type='DrawBatchSampler') in the data loader."
            )
        results['img'] = [
            self._view(
                results['img'],
                size,
                scale,
                np.random.default_rng((*results['draw'], view)),
            )
            for view, (size, scale) in enumerate(self.views)
        ]
        return results

    def _view(
        self,
        img: np.ndarray,
        size: int,
        scale: tuple[float, float],
        rng: np.random.Generator,
    ) -> np.ndarray:
        view = random_resized_crop(img, size, scale, rng)
        if rng.random() < self.jitter_prob:
            view = jitter_hsv(view, *self.jitter, rng)
        horizontal, vertical = rng.random(2) < self.flip_prob
        if horizontal:
            view = view[:, ::-1]
        if vertical:
            view = view[::-1]
        return np.ascontiguousarray(view)
