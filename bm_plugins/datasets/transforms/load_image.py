"""Reading one image, or saying which one cannot be read."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmpretrain.registry import TRANSFORMS

from bm_plugins.datasets.image_io import decode_image, jpeg_shape
from bm_plugins.errors import InputError, UnreadableImage


@TRANSFORMS.register_module()
class LoadCellImage(BaseTransform):
    """Read an image file (BGR, uint8); the error names the file.

    By :func:`bm_plugins.datasets.image_io.decode_image`.

    **Required keys:** ``img_path``. **Optional:** ``bits``, the range of
    16-bit values; from a cache ``img``, or ``img_bytes``, the file's content
    (L,). **Added:** ``img`` (H, W, 3),
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
            shape = self._read(results)
        except (OSError, ValueError) as error:
            reason = getattr(error, 'strerror', None) or error
            raise UnreadableImage(
                f'cannot read image {results["img_path"]} ({reason}). '
                'Restore the file, or leave it out by writing the manifest '
                'anew: tools/prepare_matek.py.'
            ) from error
        results['img_shape'] = results['ori_shape'] = shape
        return results

    def _read(self, results: dict) -> tuple[int, int]:
        """Set ``img``; returns the image's height and width."""
        if 'img' in results:
            return results['img'].shape[:2]
        if 'img_bytes' in results:
            content = bytes(results.pop('img_bytes'))
        else:
            with open(results['img_path'], 'rb') as stream:
                content = stream.read()
        shape = None if self.decodes else jpeg_shape(content)
        if shape:
            results['img'] = np.frombuffer(content, np.uint8)
            return shape
        results['img'] = decode_image(content, results.get('bits'))
        return results['img'].shape[:2]


def check_readers(transforms: Sequence, cache: str) -> None:
    """Refuse a pipeline that would pass over the cache.

    Raises:
        InputError: A reader is upstream's.
    """
    if any(isinstance(reader, LoadImageFromFile) for reader in transforms):
        raise InputError(
            f'cache={cache!r}: LoadImageFromFile reads the files all the '
            'same. Put LoadCellImage in its place.'
        )
