"""Reading one image, or saying which one cannot be read."""

<<<<<<< HEAD
import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS

from ...errors import UnreadableImage
from ..decode import decode_image, jpeg_shape
=======
from collections.abc import Sequence

import cv2
import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmpretrain.registry import TRANSFORMS

from ...errors import InputError, UnreadableImage
>>>>>>> 3c479f34c9a65aeca3b3cac8eb5fe2b47c86945f


@TRANSFORMS.register_module()
class LoadCellImage(BaseTransform):
    """Read an image file (BGR, uint8); the error names the file.

    The pixels are those of mmcv's LoadImageFromFile.

    **Required keys:** ``img_path``. **Optional:** from a cache ``img``, or
    ``img_bytes``, the file's content (B,). **Added:** ``img`` (H, W, 3),
    ``img_shape``, ``ori_shape``.

    Raises:
        UnreadableImage: The file is missing or cannot be decoded.
    """

    draws_globally = False
    # Whether a plain JPEG is decoded here; ``GPUViews`` decodes elsewhere.
    decodes = True

    def transform(self, results: dict) -> dict:
        """Read ``results['img_path']``, or take what a cache read."""
        try:
<<<<<<< HEAD
            with open(results['img_path'], 'rb') as stream:
                content = stream.read()
            shape = None if self.decodes else jpeg_shape(content)
            if shape:
                img = np.frombuffer(content, np.uint8)
            else:
                img = decode_image(content)
        except (OSError, ValueError) as error:
=======
            if 'img' in results:
                return self._add(results, results['img'])
            if 'img_bytes' in results:
                img = mmcv.imfrombytes(
                    results.pop('img_bytes'),
                    self.color_type,
                    backend=self.imdecode_backend,
                )
                return self._add(results, img)
            return super().transform(results)
        except (OSError, AssertionError, ValueError, cv2.error) as error:
>>>>>>> 3c479f34c9a65aeca3b3cac8eb5fe2b47c86945f
            raise UnreadableImage(
                f'cannot read image {results["img_path"]} '
                f'({type(error).__name__}). Restore the file, or leave it out '
                'by writing the manifest anew: tools/prepare_matek.py.'
            ) from error
<<<<<<< HEAD
        results['img'] = img
        results['img_shape'] = results['ori_shape'] = shape or img.shape[:2]
        return results
=======

    def _add(self, results: dict, img: np.ndarray | None) -> dict:
        assert img is not None
        if self.to_float32:
            img = img.astype(np.float32)
        shape = img.shape[:2]
        results.update(img=img, img_shape=shape, ori_shape=shape)
        return results


def check_readers(transforms: Sequence, cache: str) -> None:
    """Refuse a pipeline that would pass over the cache.

    Args:
        transforms (Sequence): The pipeline's.
        cache (str): ``jpeg`` or ``decoded``.

    Raises:
        InputError: A reader is upstream's, or wants other pixels than the
            decoded cache has.
    """
    for reader in transforms:
        if not isinstance(reader, LoadImageFromFile):
            continue
        if not isinstance(reader, LoadCellImage):
            raise InputError(
                f'cache={cache!r}: {type(reader).__name__} reads the files '
                'all the same. Put LoadCellImage in its place.'
            )
        how = (reader.color_type, reader.imdecode_backend)
        if cache == 'decoded' and how != ('color', 'cv2'):
            raise InputError(
                f"cache='decoded' holds what OpenCV makes of the files in "
                f'colour, and LoadCellImage is set to {how}. Use '
                "cache='jpeg'."
            )
>>>>>>> 3c479f34c9a65aeca3b3cac8eb5fe2b47c86945f
