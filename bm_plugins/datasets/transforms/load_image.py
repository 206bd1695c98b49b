"""Reading one image, or saying which one cannot be read."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS

from ...errors import UnreadableImage
from ..decode import decode_image, jpeg_shape


@TRANSFORMS.register_module()
class LoadCellImage(BaseTransform):
    """Read an image file (BGR, uint8); the error names the file.

    The pixels are those of mmcv's LoadImageFromFile.

    **Required keys:** ``img_path``. **Added:** ``img`` (H, W, 3),
    ``img_shape``, ``ori_shape``.

    Raises:
        UnreadableImage: The file is missing or cannot be decoded.
    """

    draws_globally = False
    # Whether a plain JPEG is decoded here; ``GPUViews`` decodes elsewhere.
    decodes = True

    def transform(self, results: dict) -> dict:
        """Read ``results['img_path']``."""
        try:
            with open(results['img_path'], 'rb') as stream:
                content = stream.read()
            shape = None if self.decodes else jpeg_shape(content)
            if shape:
                img = np.frombuffer(content, np.uint8)
            else:
                img = decode_image(content)
        except (OSError, ValueError) as error:
            raise UnreadableImage(
                f'cannot read image {results["img_path"]} '
                f'({type(error).__name__}). Restore the file, or leave it out '
                'by writing the manifest anew: tools/prepare_matek.py.'
            ) from error
        results['img'] = img
        results['img_shape'] = results['ori_shape'] = shape or img.shape[:2]
        return results
