"""A crop made a square."""

import cv2
import numpy as np

# Shrunk further, bilinear interpolation would skip pixels.
AREA_FROM = 1.25


def resize(crop: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Resize: bilinear, or the mean over each pixel's area where it shrinks.

    Args:
        crop (np.ndarray): (H, W, 3), uint8.
        out (np.ndarray): (S, S, 3), uint8; written to.

    Returns:
        np.ndarray: ``out``.
    """
    size = len(out)
    shrinks = max(crop.shape[:2]) > AREA_FROM * size
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(crop, (size, size), out, interpolation=interpolation)
