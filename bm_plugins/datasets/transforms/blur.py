"""Gaussian blur."""

import cv2
import numpy as np


def blur(img: np.ndarray, sigma: float, out: np.ndarray) -> np.ndarray:
    """Blur; the border goes on as it is.

    Args:
        img (np.ndarray): (H, W, 3), uint8.
        sigma (float): Standard deviation in pixels, above 0; the kernel
            reaches three of them.
        out (np.ndarray): (H, W, 3), uint8; written to.

    Returns:
        np.ndarray: ``out``.
    """
    reach = max(1, round(3 * sigma))
    kernel = cv2.getGaussianKernel(2 * reach + 1, sigma, cv2.CV_32F)
    return cv2.sepFilter2D(
        img, -1, kernel, kernel, out, borderType=cv2.BORDER_REPLICATE
    )
