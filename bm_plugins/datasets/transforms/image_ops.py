"""Resizing, blur and changes of colour, in few passes over an image."""

import math
import threading
from collections.abc import Sequence
from operator import mul

import cv2
import numpy as np

_buffers = threading.local()
# Shrunk further, bilinear interpolation would skip pixels.
AREA_FROM = 1.25
# ITU-R 601-2, in BGR
GREY = (0.114, 0.587, 0.299)
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
# Of x / 255; a black pixel counts as the darkest grey.
_LOGARITHMS = np.log(np.maximum(np.arange(256), 1) / 255)[:, None]
_LOGARITHMS = _LOGARITHMS.astype(np.float32)


def scratch(name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """An array of this thread to write over, contiguous, of any content.

    A fresh array of a view's size costs more in page faults than most
    transforms in arithmetic. The next call with this name may return the
    same memory.
    """
    buffers = _buffers.__dict__
    try:
        return np.ndarray(shape, dtype, buffers[name])
    except (KeyError, TypeError):  # none yet, or too small
        buffers[name] = bytearray(math.prod(shape) * np.dtype(dtype).itemsize)
        return np.ndarray(shape, dtype, buffers[name])


def resize(crop: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Resize (H, W, 3), uint8, into ``out`` (S, S, 3).

    Bilinear, or the mean over each pixel's area where it shrinks.
    """
    size = len(out)
    shrinks = max(crop.shape[:2]) > AREA_FROM * size
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(crop, (size, size), out, interpolation=interpolation)


def turn(
    img: np.ndarray,
    box: tuple[int, int, int, int],
    angle: float,
    out: np.ndarray,
) -> np.ndarray:
    """Crop, resize and turn (H, W, 3), uint8, into ``out`` (S, S, 3).

    The resized box is turned about its centre; its corners show what lies
    beside the box, or the image's reflection at its border.

    Args:
        img (np.ndarray): The image.
        box (tuple[int, int, int, int]): Top, left, height, width in pixels.
        angle (float): Degrees, clockwise.
        out (np.ndarray): Written to and returned.
    """
    top, left, height, width = box
    size = len(out)
    y, x = top + height / 2, left + width / 2
    scale_y, scale_x = height / size, width / size
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    if max(height, width) > AREA_FROM * size:
        # All that the turned box can show, by the mean over areas.
        reach = (abs(cos) + abs(sin)) / 2
        first_y, first_x = (
            max(0, math.floor(middle - reach * length) - 1)
            for middle, length in ((y, height), (x, width))
        )
        region = img[
            first_y : math.ceil(y + reach * height) + 1,
            first_x : math.ceil(x + reach * width) + 1,
        ]
        rows, columns = region.shape[:2]
        shape = round(rows / scale_y), round(columns / scale_x)
        down_y, down_x = rows / shape[0], columns / shape[1]
        img = cv2.resize(
            region,
            shape[::-1],
            scratch('region', (*shape, 3), np.uint8),
            interpolation=cv2.INTER_AREA,
        )
        y, x = (y - first_y) / down_y, (x - first_x) / down_x
        scale_y, scale_x = scale_y / down_y, scale_x / down_x
    # From a pixel's place to the place that it shows; centres lie at halves.
    middle = (size - 1) / 2
    matrix = np.array(
        [
            [scale_x * cos, scale_x * sin, x - 0.5],
            [-scale_y * sin, scale_y * cos, y - 0.5],
        ]
    )
    matrix[:, 2] -= matrix[:, :2].sum(1) * middle
    return cv2.warpAffine(
        img,
        matrix,
        (size, size),
        out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )


def change_density(
    img: np.ndarray, changes: Sequence[float], out: np.ndarray
) -> np.ndarray:
    """Scale and shift each channel's optical density.

    A value x of 255 has the density -ln(x / 255); in it stains add up. As the
    jitter of Tellez et al. 2018 (IEEE Trans. Med. Imaging 37:2126-2136), but
    of the channels.

    Args:
        img (np.ndarray): BGR (H, W, 3), uint8.
        changes (Sequence[float]): Three factors and three shifts, in BGR.
        out (np.ndarray): Written to and returned.
    """
    factors, shifts = np.reshape(changes, (2, 3)).astype(np.float32)
    values = 255 * np.exp(_LOGARITHMS * factors - shifts)
    table = np.minimum(values + 0.5, 255).astype(np.uint8)
    return cv2.LUT(img, table[None], out)


def blur(img: np.ndarray, sigma: float, out: np.ndarray) -> np.ndarray:
    """Blur (H, W, 3), uint8, into ``out``; the border goes on as it is.

    ``sigma`` is in pixels, above 0; the kernel reaches three of them.
    """
    reach = max(1, round(3 * sigma))
    kernel = cv2.getGaussianKernel(2 * reach + 1, sigma, cv2.CV_32F)
    return cv2.sepFilter2D(
        img, -1, kernel, kernel, out, borderType=cv2.BORDER_REPLICATE
    )


def jitter_hsv(
    img: np.ndarray,
    hue: float,
    saturation: float,
    value: float,
    out: np.ndarray,
) -> np.ndarray:
    """Shift the hue, scale saturation and value of BGR (H, W, 3), uint8.

    In float, since 8-bit hues have steps that show.

    Args:
        img (np.ndarray): The image.
        hue (float): Shift in degrees, from -360 to 360.
        saturation (float): Factor, from 0; the result is cut at 1.
        value (float): Factor, from 0; the result is cut at 255.
        out (np.ndarray): Written to and returned.
    """
    hsv = scratch('hsv', img.shape, np.float32)
    other = scratch('hsv2', img.shape, np.float32)
    np.copyto(other, img)
    cv2.cvtColor(other, cv2.COLOR_BGR2HSV, hsv)
    # OpenCV takes hues round the circle, but no negative ones.
    change = [[1, 0, 0, hue % 360], [0, saturation, 0, 0], [0, 0, value, 0]]
    cv2.transform(hsv, np.array(change, np.float32), other)
    if saturation > 1 or value > 1:
        cv2.min(other, (720, 1, 255, 0), other)
    cv2.cvtColor(other, cv2.COLOR_HSV2BGR, hsv)
    return cv2.convertScaleAbs(hsv, out)


class ColourSteps:
    """Brightness, contrast, saturation, hue and grey in any order.

    All but the hue make of a pixel x with grey value g(x) a sum
    a · x + b · g(x) + c. A factor up to 1 never leaves 0 to 255, so that such
    a step needs no pass of its own: it changes a, b and c.

    Args:
        img (np.ndarray): BGR (H, W, 3), uint8; left as it is.
    """

    def __init__(self, img: np.ndarray) -> None:
        self._img = img
        self._free = ['one', 'two']
        self._sum = (1.0, 0.0, 0.0)

    def step(self, kind: int, amount: float) -> None:
        """Add a step, as mmpretrain's and torchvision's ``ColorJitter``.

        Args:
            kind (int): ``BRIGHTNESS`` blends with black, ``CONTRAST`` with
                the mean grey, ``SATURATION`` with each pixel's grey by a
                factor from 0; ``HUE`` turns the hue.
            amount (float): The factor; of the hue, turns of the circle.
        """
        if kind == HUE:
            img = self.result()
            self._img = jitter_hsv(img, 360 * amount, 1, 1, self._out())
            return
        a, b, c = self._sum
        rest = 1 - amount
        if kind == BRIGHTNESS:
            self._sum = amount * a, amount * b, amount * c
        elif kind == CONTRAST:
            means = cv2.mean(self._img)
            mean = (a + b) * sum(map(mul, GREY, means)) + c
            self._sum = (
                amount * a,
                amount * b,
                amount * c + rest * round(mean),
            )
        else:
            self._sum = amount * a, amount * b + rest * (a + b), c
        if amount > 1:
            self.result()

    def result(self) -> np.ndarray:
        """The image so far: ``img`` itself or memory to be written over."""
        a, b, c = self._sum
        if self._sum != (1.0, 0.0, 0.0):
            blue, green, red = (b * weight for weight in GREY)
            matrix = [
                [a + blue, green, red, c],
                [blue, a + green, red, c],
                [blue, green, a + red, c],
            ]
            matrix = np.array(matrix, np.float32)
            self._img = cv2.transform(self._img, matrix, self._out())
            self._sum = (1.0, 0.0, 0.0)
        return self._img

    def _out(self) -> np.ndarray:
        """Memory that the present image is not in."""
        self._free.reverse()
        return scratch(self._free[0], self._img.shape, np.uint8)


def colour_steps(
    img: np.ndarray, steps: Sequence[tuple[int, float]]
) -> np.ndarray:
    """Apply ``(kind, amount)`` in turn; see :class:`ColourSteps`."""
    work = ColourSteps(img)
    for kind, amount in steps:
        work.step(kind, amount)
    return work.result()
