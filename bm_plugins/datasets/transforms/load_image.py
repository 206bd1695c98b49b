"""Reading one image, or saying which one cannot be read."""

import cv2
from mmcv.transforms import LoadImageFromFile
from mmpretrain.registry import TRANSFORMS

from ...errors import UnreadableImage


@TRANSFORMS.register_module()
class LoadCellImage(LoadImageFromFile):
    """Upstream's reader (BGR, uint8) whose error names the file.

    **Required keys:** ``img_path``. **Added:** ``img`` (H, W, 3),
    ``img_shape``, ``ori_shape``.

    Raises:
        UnreadableImage: The file is missing or cannot be decoded.
    """

    def transform(self, results: dict) -> dict:
        """Read ``results['img_path']``."""
        try:
            return super().transform(results)
        except (OSError, AssertionError, ValueError, cv2.error) as error:
            raise UnreadableImage(
                f'cannot read image {results["img_path"]} '
                f'({type(error).__name__}). Restore the file, or leave it out '
                'by writing the manifest anew: tools/prepare_matek.py.'
            ) from error
