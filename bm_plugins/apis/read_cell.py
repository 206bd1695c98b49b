"""One image as a bundle's network takes it."""

from pathlib import Path

import numpy as np
from mmcv import imresize

from ..datasets.transforms.load_image import LoadCellImage
from .bundle import Bundle


class CellReader:
    """Reads and resizes an image as it was done in training.

    Args:
        bundle (Bundle): Has ``size`` and ``interpolation``.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.load = LoadCellImage()
        self.size = bundle.size
        self.interpolation = bundle.interpolation

    def __call__(self, file: str | Path) -> np.ndarray:
        """Read an image.

        Args:
            file (str or Path): The image file.

        Returns:
            np.ndarray: (3, H, W) uint8, RGB.

        Raises:
            UnreadableImage: The file is missing or cannot be decoded.
        """
        image = self.load.transform(dict(img_path=str(file)))['img']
        small = imresize(
            image, self.size, interpolation=self.interpolation, backend='cv2'
        )
        return np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1))
