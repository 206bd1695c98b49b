"""One image as a bundle's network takes it."""

from pathlib import Path

import numpy as np
from mmcv import imresize

from ..datasets.image_io import read_image
from ..errors import UnreadableImage
from .bundle import Bundle


class CellReader:
    """Reads and resizes an image as it was done in training.

    Args:
        bundle (Bundle): Has ``size`` and ``interpolation``.
        bits (int, optional): As for :func:`read_image`.
    """

    def __init__(self, bundle: Bundle, bits: int | None = None) -> None:
        self.size = bundle.size
        self.interpolation = bundle.interpolation
        self.bits = bits

    def __call__(self, file: str | Path) -> np.ndarray:
        """Read an image.

        Args:
            file (str or Path): The image file.

        Returns:
            np.ndarray: (3, H, W) uint8, RGB.

        Raises:
            UnreadableImage: The file is missing or cannot be used, as
                :func:`read_image` says.
        """
        try:
            image = read_image(str(file), bits=self.bits)
        except UnreadableImage as fault:
            raise UnreadableImage(
                f'cannot read image {file} ({fault}). Restore the file, or '
                'leave it out.'
            ) from None
        return self.resize(image)

    def resize(self, image: np.ndarray) -> np.ndarray:
        """Resize an image that was read elsewhere.

        Args:
            image (np.ndarray): (H, W, 3) uint8, BGR.

        Returns:
            np.ndarray: (3, H, W) uint8, RGB.
        """
        small = imresize(
            image, self.size, interpolation=self.interpolation, backend='cv2'
        )
        return np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1))
