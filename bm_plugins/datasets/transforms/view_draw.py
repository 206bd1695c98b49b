"""The random numbers of a view, drawn before any pixel is touched."""

import math
from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np

# In which order colour jitter works, as many as there are.
ORDERS = tuple(permutations(range(4)))
CROP_TRIES = 10
RATIO = (3 / 4, 4 / 3)
UNIFORMS = 2 * CROP_TRIES + 13
UNCHANGED = (1.0, 1.0, 1.0, 0.0, 0.0, 0.0)


class ViewDraw(NamedTuple):
    """What is drawn of one view; numbers alone, so a row of an array too.

    Attributes:
        top, left, height, width (int): The crop, pixels.
        horizontal, vertical (bool): Flipped left to right, top to bottom.
        jittered (bool): Whether the colours are changed by what follows.
        jitter (tuple[float, ...]): A value a strength (see
            :class:`MultiCropViews`): additive for the hue, factors for the
            others.
        order (int): Of the four steps of colour jitter, in ``ORDERS``.
        grey (bool): Turned grey.
        sigma (float): Standard deviation of the blur in pixels of the view;
            0 for none.
        angle (float): Turned by these degrees before the flips.
        density (tuple[float, ...]): Three factors of the optical density,
            then three shifts, in BGR; empty for none.
    """

    top: int
    left: int
    height: int
    width: int
    horizontal: bool
    vertical: bool
    jittered: bool
    jitter: tuple[float, ...]
    order: int
    grey: bool
    sigma: float
    angle: float = 0.0
    density: tuple[float, ...] = ()


def as_rows(draws: Sequence[ViewDraw]) -> np.ndarray:
    """V draws as numbers (V, 21), float32, for a batch.

    The fields in their order, a jitter padded to four numbers.
    """
    rows = np.zeros((len(draws), 21), np.float32)
    for row, draw in zip(rows, draws, strict=True):
        row[:7] = draw[:7]
        row[7 : 7 + len(draw.jitter)] = draw.jitter
        row[11:15] = draw[8:12]
        row[15:] = draw.density or UNCHANGED
    return rows


class ViewDrawer:
    """Draws views; the distributions of mmpretrain's transforms.

    Args:
        strengths (Sequence[float]): Of the jitter: factors uniform in 1 ±
            the strength and not below 0, but for one.
        hue (int): Which one that is: a shift, uniform in ± the strength.
        jitter_prob (float): Probability of the jitter.
        grey_prob (float): Probability of grey.
        blur_prob (float): Probability of the blur.
        blur_sigma (Sequence[float]): Its least and greatest deviation.
        flip_prob (Sequence[float]): Probability of a flip left to right, and
            top to bottom.
        rotation (float): Greatest angle, degrees. Defaults to 0.
        density (Sequence[float]): Greatest change of the factors and of the
            shifts of optical density. Defaults to none.
    """

    def __init__(
        self,
        strengths: Sequence[float],
        hue: int,
        jitter_prob: float,
        grey_prob: float,
        blur_prob: float,
        blur_sigma: Sequence[float],
        flip_prob: Sequence[float],
        rotation: float = 0.0,
        density: Sequence[float] = (0.0, 0.0),
    ) -> None:
        self.ranges = [
            (-s, s) if i == hue else (max(0.0, 1 - s), 1 + s)
            for i, s in enumerate(strengths)
        ]
        self.jitter_prob = jitter_prob
        self.grey_prob = grey_prob
        self.blur_prob = blur_prob
        self.blur_sigma = tuple(blur_sigma)
        self.flip_prob = tuple(flip_prob)
        self.rotation = rotation
        self.density = tuple(density)

    def __call__(
        self,
        draw: Sequence[int],
        image: tuple[int, int],
        scales: Sequence[Sequence[float]],
    ) -> list[ViewDraw]:
        """Draw the views of one image.

        A view's numbers are a function of the key and its place alone.

        Args:
            draw (Sequence[int]): The key: seed, epoch, position in it.
            image (tuple[int, int]): Height and width in pixels.
            scales (Sequence[Sequence[float]]): Least and greatest area of
                each view, as a share of the image.
        """
        uniform = np.random.default_rng(draw).random((len(scales), UNIFORMS))
        views = [
            self._view(u, image, scale)
            for u, scale in zip(uniform.tolist(), scales, strict=True)
        ]
        if not (self.rotation or any(self.density)):
            return views
        # Of their own, so that the others are the same with and without.
        more = np.random.default_rng([*draw, 1]).random((len(scales), 7))
        more = 2 * more - 1
        factor, shift = self.density
        return [
            view._replace(
                angle=self.rotation * u[0],
                density=(*(1 + factor * u[1:4]), *(shift * u[4:]))
                if any(self.density)
                else (),
            )
            for view, u in zip(views, more, strict=True)
        ]

    def _view(
        self, u: list[float], image: tuple[int, int], scale: Sequence[float]
    ) -> ViewDraw:
        rest = u[2 * CROP_TRIES :]
        top, left, h, w = draw_crop(u, *image, *scale)
        low, high = self.blur_sigma
        blurred = rest[9] < self.blur_prob
        return ViewDraw(
            top,
            left,
            h,
            w,
            rest[2] < self.flip_prob[0],
            rest[3] < self.flip_prob[1],
            rest[4] < self.jitter_prob,
            tuple(
                a + (b - a) * x
                for (a, b), x in zip(self.ranges, rest[5:], strict=False)
            ),
            int(rest[11] * len(ORDERS)),
            rest[12] < self.grey_prob,
            low + (high - low) * rest[10] if blurred else 0.0,
        )


def draw_crop(
    u: Sequence[float], height: int, width: int, least: float, most: float
) -> tuple[int, int, int, int]:
    """A crop of random area and aspect ratio.

    Szegedy et al. 2015, "Going deeper with convolutions", section 6: the area
    is uniform, width / height uniform in the logarithm from 3/4 to 4/3. What
    does not fit is drawn again, 10 times at most; then it is the largest
    centred crop of such an aspect ratio.

    Args:
        u (Sequence[float]): Uniform numbers (22,) in [0, 1).
        height, width (int): Of the image, pixels.
        least, most (float): Bounds of the area, as a share of the image.

    Returns:
        tuple[int, int, int, int]: Top, left, height and width in pixels.
    """
    low, high = math.log(RATIO[0]), math.log(RATIO[1])
    for i in range(CROP_TRIES):
        area = height * width * (least + (most - least) * u[2 * i])
        aspect = math.exp(low + (high - low) * u[2 * i + 1])
        w = round(math.sqrt(area * aspect))
        h = round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            break
    else:
        w = min(width, round(height * RATIO[1]))
        h = min(height, round(width / RATIO[0]))
        return (height - h) // 2, (width - w) // 2, h, w
    top = int(u[2 * CROP_TRIES] * (height - h + 1))
    left = int(u[2 * CROP_TRIES + 1] * (width - w + 1))
    return top, left, h, w
