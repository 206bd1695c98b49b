"""One image as a bundle's network takes it."""

from pathlib import Path

import numpy as np
from mmcv import imresize

from ..errors import UnreadableImage
from .bundle import Bundle
from .read_image import read_image


class CellReader:
    """Reads and resizes an image as it was done in training.

    Args:
        bundle (Bundle): Has ``size`` and ``interpolation``.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.size = bundle.size
        self.interpolation = bundle.interpolation

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
            image = read_image(str(file))
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
