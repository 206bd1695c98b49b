"""A collection of synthetic cells in the layout of Matek et al. 2021.

They stand in for the release when trying the tools out: the shapes follow the
textbook description of each class, and no image of the release is used. A
cell is painted as densities of three dyes, then developed by Beer-Lambert
absorption, so that a shift of stain or lamp acts as it does on a slide.
"""

import cv2
import numpy as np

from bm_plugins.datasets.matek_classes import CLASSES, SUPPORTS
from bm_plugins.errors import InputError

from .cells import PAINTERS, leukocyte, red_cells
from .looks import BESIDE, LOOKS
from .shapes import SIZE, any_angle, noise_patch, polar

VERSION = 1  # Raise it whenever a drawn byte changes.
IMAGE_FOLDER = 'BM_cytomorphology_data'
MARKER = 'synthetic_marrow.json'  # in the folder above; says what is drawn
MIN_PER_CLASS = 8
FLAT_BELOW = 1000  # The release has no range folders for its small classes.
# fmt: off
# Rows: dyes; columns: absorption of red, green and blue light at density 1.
_ABSORPTION = np.array(
    [[1.15, 1.85, 0.45], [0.85, 0.62, 0.1], [0.07, 0.5, 0.4]])
# fmt: on


def class_counts(images: int) -> dict[str, int]:
    """Share images among the classes by the square root of their support.

    The release's own shares (3,678 to 1) would leave its rare classes empty.
    Each code has at least ``MIN_PER_CLASS`` and at least 1 % of all.

    Raises:
        InputError: ``images`` is too few for that.
    """
    least = MIN_PER_CLASS * len(CLASSES)
    if images < least:
        raise InputError(
            f'{images} images are too few: each of the {len(CLASSES)} classes '
            f'has at least {MIN_PER_CLASS}, so ask for {least} or more.'
        )
    # floor(1 %) would fall short of 1 %.
    floor = max(MIN_PER_CLASS, -(-images // 100))
    weights = np.sqrt(SUPPORTS)
    spare = images - floor * len(CLASSES)
    ends = np.rint(np.cumsum(weights) / weights.sum() * spare)
    shares = np.diff(ends, prepend=0).astype(int) + floor
    return dict(zip(CLASSES, shares.tolist(), strict=True))


def image_path(code: str, number: int, count: int) -> str:
    """Path of an image in the release's layout, relative to the data root.

    The images of a class have numbers from 1; its last range ends at
    ``count``.
    """
    folder = f'{IMAGE_FOLDER}/{code}'
    if SUPPORTS[CLASSES.index(code)] >= FLAT_BELOW:
        first = (number - 1) // 1000 * 1000 + 1
        folder += f'/{first:04d}-{min(first + 999, count):04d}'
    return f'{folder}/{code}_{number:05d}.jpg'


def draw_cell(seed: int, code: str, number: int) -> np.ndarray:
    """Draw one image; it depends on nothing but the arguments.

    Returns:
        np.ndarray: RGB image (250, 250, 3), uint8.

    Raises:
        InputError: The seed is negative or the code unknown.
    """
    if seed < 0:
        raise InputError(f'seed {seed} is negative; give 0 or more.')
    if code not in LOOKS:
        raise InputError(f'unknown code {code}; known: {" ".join(CLASSES)}.')
    rng = np.random.default_rng([seed, CLASSES.index(code), number])
    canvas = np.zeros((3, SIZE, SIZE), np.float32)  # a plane for each dye
    red_cells(rng, canvas)
    if rng.random() < 0.3:
        beside = SIZE / 2 + polar(any_angle(rng), rng.uniform(130, 165))
        leukocyte(rng, canvas, LOOKS[rng.choice(BESIDE)], beside)
    look, centre = LOOKS[code], SIZE / 2 + rng.uniform(-10, 10, 2)
    blur = rng.uniform(0.5, 1.8)
    painter = PAINTERS.get(look.nucleus, leukocyte)
    return _develop(rng, canvas, painter(rng, canvas, look, centre) or blur)


def encode_cell(seed: int, code: str, number: int) -> bytes:
    """Draw an image as :func:`draw_cell` does and encode it as JPEG."""
    bgr = draw_cell(seed, code, number)[..., ::-1]
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
    return cv2.imencode('.jpg', bgr, quality)[1].tobytes()


def _develop(rng, canvas, blur) -> np.ndarray:
    """Stain, lamp, focus and camera: dyes (3, H, W) to RGB (H, W, 3)."""
    stain = _ABSORPTION * np.exp(rng.normal(0, 0.07, (3, 3)))
    stain *= np.exp(rng.normal(0, 0.11, (3, 1)))
    lamp = rng.uniform(175, 248) * np.exp(rng.normal(0, 0.035, 3))
    slope = np.linspace(-0.5, 0.5, SIZE, dtype=np.float32)
    tilt_x, tilt_y = rng.normal(0, 0.09, 2).astype(np.float32)
    for plane in canvas:
        cv2.GaussianBlur(plane, (0, 0), blur, dst=plane)
    light = -stain.T.astype(np.float32) @ canvas.reshape(3, -1)
    light += np.log(lamp).astype(np.float32)[:, None]
    image = cv2.exp(light, dst=light).reshape(3, SIZE, SIZE)
    image *= 1 + tilt_x * slope + tilt_y * slope[:, None]
    image += 3 * noise_patch(rng, SIZE, SIZE, 0.6)
    np.clip(image, 0, 255, out=image)
    return cv2.merge(list(image.astype(np.uint8)))
