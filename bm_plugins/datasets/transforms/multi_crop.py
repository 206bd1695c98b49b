"""Random views of one cell for SwAV."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS

from bm_plugins.errors import InputError

from .image_ops import (
    SATURATION,
    blur,
    change_density,
    colour_steps,
    jitter_hsv,
    resize,
    scratch,
    turn,
)
from .view_draw import ORDERS, ViewDraw, ViewDrawer, as_rows

COLOR_JITTER = ('brightness', 'contrast', 'saturation', 'hue')


@TRANSFORMS.register_module()
class MultiCropViews(BaseTransform):
    """Random views of an image: crop, colour, blur, flips.

    The paper's equation 5 (two views) and the multi-crop of SwAV
    (arXiv:2006.09882, section 3.2). Each view is a function of (seed, epoch,
    position in the epoch, view), whichever worker or rank draws it. What is
    drawn has the distribution of mmpretrain's RandomResizedCrop, ColorJitter,
    RandomGrayscale, GaussianBlur and RandomFlip. The colours are changed on
    the crop or on the view, whichever is smaller.

    **Required keys:** ``img`` (H, W, 3) BGR uint8, and ``draw``, which a
    :class:`DrawBatchSampler` gives. **Modified:** ``img``, a list of views.

    Args:
        views (Sequence[dict]): ``num``, ``size`` (pixels) and ``scale``
            (least and greatest share of the area) of each group of views,
            the views of the assignments first.
        hue (float): Greatest shift of the hue in degrees. Defaults to 0.
        saturation (float): Greatest relative change of HSV's saturation.
            Defaults to 0.
        value (float): Greatest relative change of the value. Defaults to 0.
        color_jitter (dict, optional): Instead of these three, ``brightness``,
            ``contrast``, ``saturation`` and ``hue`` (in turns) as
            mmpretrain's and torchvision's ColorJitter. Defaults to None.
        jitter_prob (float): Probability of either jitter. Defaults to 0.8.
        grey_prob (float): Probability of a grey view. Defaults to 0.
        blur_prob (float): Probability of a Gaussian blur. Defaults to 0.
        blur_sigma (Sequence[float]): Its least and greatest standard
            deviation in pixels. Defaults to (0.1, 2).
        flip_prob (float or Sequence[float]): Probability of a flip, for each
            axis, or of one left to right and one top to bottom. Defaults to
            0.5.
        rotation (float): Greatest angle by which a view is turned, either
            way, degrees; 180 for any. Defaults to 0.
        density (Sequence[float]): Greatest relative change and greatest
            shift of each channel's optical density, as stains vary. Defaults
            to (0, 0).

    Raises:
        InputError: The data loader gives no draw; both jitters are given, or
            one that is not known; or what is to be a number is none.
    """

    draws_globally = False
    # Whether views are made here; ``GPUViews`` makes them elsewhere.
    renders = True

    def __init__(
        self,
        views: Sequence[dict],
        hue: float = 0.0,
        saturation: float = 0.0,
        value: float = 0.0,
        color_jitter: dict | None = None,
        jitter_prob: float = 0.8,
        grey_prob: float = 0.0,
        blur_prob: float = 0.0,
        blur_sigma: Sequence[float] = (0.1, 2.0),
        flip_prob: float | Sequence[float] = 0.5,
        rotation: float = 0.0,
        density: Sequence[float] = (0.0, 0.0),
    ) -> None:
        for view in views:
            _check_numbers(1, num=view['num'], size=view['size'])
            _check_numbers(2, scale=view['scale'])
        self.views = [
            (view['size'], tuple(view['scale']))
            for view in views
            for _ in range(view['num'])
        ]
        self.jitter = (hue, saturation, value)
        self.color_jitter = color_jitter is not None
        if color_jitter is not None:
            if any(self.jitter) or {*color_jitter} - {*COLOR_JITTER}:
                raise InputError(
                    f'MultiCropViews: color_jitter={color_jitter} with '
                    f'hue={hue}, saturation={saturation}, value={value}: '
                    'expected some of brightness, contrast, saturation and '
                    'hue in color_jitter, or the three beside it, not both.'
                )
            self.jitter = tuple(color_jitter.get(n, 0) for n in COLOR_JITTER)
        if isinstance(flip_prob, float | int):
            flip_prob = (flip_prob, flip_prob)
        strengths = color_jitter or dict(
            hue=hue, saturation=saturation, value=value
        )
        _check_numbers(1, **strengths, jitter_prob=jitter_prob)
        _check_numbers(
            1, grey_prob=grey_prob, blur_prob=blur_prob, rotation=rotation
        )
        _check_numbers(
            2, blur_sigma=blur_sigma, flip_prob=flip_prob, density=density
        )
        self.drawer = ViewDrawer(
            self.jitter,
            3 if self.color_jitter else 0,
            jitter_prob,
            grey_prob,
            blur_prob,
            blur_sigma,
            flip_prob,
            rotation,
            density,
        )

    def transform(self, results: dict) -> dict:
        """Replace ``img`` by its views, or add what is drawn of them."""
        img = results['img']
        draws = self.draw(results, results.get('img_shape', img.shape[:2]))
        if not self.renders:
            results['view_draws'] = as_rows(draws)
            return results
        results['img'] = [
            self.render(img, size, draw)
            for (size, _), draw in zip(self.views, draws, strict=True)
        ]
        return results

    def draw(self, results: dict, image: tuple[int, int]) -> list[ViewDraw]:
        """What is drawn for an image of ``image`` (height, width) pixels."""
        if 'draw' not in results:
            raise InputError(
                'MultiCropViews needs to know each draw: set batch_sampler='
                "dict(type='DrawBatchSampler') in the data loader."
            )
        scales = [scale for _, scale in self.views]
        return self.drawer(results['draw'], image, scales)

    def render(self, img: np.ndarray, size: int, draw: ViewDraw) -> np.ndarray:
        """One view (size, size, 3) of an image (H, W, 3), both BGR, uint8."""
        top, left, height, width = draw[:4]
        view = img[top : top + height, left : left + width]
        shape = (size, size, 3)
        out = np.empty(shape, np.uint8)
        flipped = draw.horizontal or draw.vertical
        # Beyond a turned crop lies more of the image.
        enlarged = height * width <= size * size and not draw.angle
        if enlarged:
            view = self._colour(view, draw)
        last = enlarged and not draw.sigma and not flipped
        to = out if last else scratch('resized', shape, np.uint8)
        if draw.angle:
            view = turn(img, draw[:4], draw.angle, to)
        else:
            view = resize(view, to)
        if not enlarged:
            view = self._colour(view, draw)
        if draw.sigma:
            to = scratch('blurred', shape, np.uint8) if flipped else out
            view = blur(view, draw.sigma, to)
        if flipped:
            # OpenCV: 1 left to right, 0 top to bottom, -1 both
            axis = (-1 if draw.vertical else 1) if draw.horizontal else 0
            return cv2.flip(view, axis, out)
        if view is not out:
            np.copyto(out, view)
        return out

    def _colour(self, img: np.ndarray, draw: ViewDraw) -> np.ndarray:
        """``img`` or scratch memory with the colours changed."""
        steps = []
        if draw.jittered and self.color_jitter:
            steps = [
                (kind, draw.jitter[kind])
                for kind in ORDERS[draw.order]
                if self.jitter[kind]
            ]
        elif draw.jittered:
            out = scratch('jittered', img.shape, np.uint8)
            img = jitter_hsv(img, *draw.jitter, out)
        if draw.density:
            img = colour_steps(img, steps)
            steps = []
            out = scratch('stained', img.shape, np.uint8)
            img = change_density(img, draw.density, out)
        if draw.grey:
            steps.append((SATURATION, 0.0))
        return colour_steps(img, steps) if steps else img


def _check_numbers(count: int, **given: object) -> None:
    """Refuse what is no number, or not so many of them."""
    for name, value in given.items():
        values = value if isinstance(value, list | tuple) else [value]
        if len(values) != count or not all(
            isinstance(v, int | float) and math.isfinite(v) for v in values
        ):
            wanted = 'a number' if count == 1 else f'{count} numbers'
            raise InputError(
                f'MultiCropViews: {name}={value!r}: expected {wanted}.'
            )
