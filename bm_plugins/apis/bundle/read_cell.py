"""One image as a bundle's network takes it."""

from pathlib import Path

import cv2
import numpy as np

from bm_plugins.datasets.image_io import read_image
from bm_plugins.datasets.scale import (
    SAME,
    file_um_per_px,
    fit_field,
    noted_scale,
    parse_um_per_px,
)
from bm_plugins.errors import InputError, UnreadableImage

from .bundle import Bundle

# As mmcv.imresize names them.
INTERPOLATIONS = dict(
    nearest=cv2.INTER_NEAREST,
    bilinear=cv2.INTER_LINEAR,
    bicubic=cv2.INTER_CUBIC,
    area=cv2.INTER_AREA,
    lanczos=cv2.INTER_LANCZOS4,
)
_SIDE = 64  # pixels of the longer side of a reference cell's picture


class CellReader:
    """Reads and resizes an image as it was done in training.

    Where the scales of training and of the image are known, it is cropped or
    padded to the training's field before.

    Args:
        bundle (Bundle): Has ``size``, ``interpolation`` and perhaps ``info``.
        bits (int, optional): As for :func:`read_image`.
        um_per_px (float or str, optional): µm per pixel of all images, or
            ``'same'``: they show the field of the training images. Defaults
            to None: what is said of each, else what its file says.

    Attributes:
        trained (Scale or None): Of the training images.

    Raises:
        InputError: It is no such scale, or the bundle does not know its own.
    """

    def __init__(
        self,
        bundle: Bundle,
        bits: int | None = None,
        um_per_px: float | str | None = None,
    ) -> None:
        self.size = bundle.size
        self.interpolation = bundle.interpolation
        self.bits = bits
        self.trained = noted_scale(getattr(bundle, 'info', None))
        self.um_per_px = parse_um_per_px(um_per_px)
        self.check_known(self.um_per_px)

    def check_known(
        self, um_per_px: float | str | None, where: str = '--um-per-px'
    ) -> None:
        """Refuse a scale that cannot be compared with that of training.

        Args:
            um_per_px (float, str or None): As for the class.
            where (str): What it was given by, for the error.

        Raises:
            InputError: The bundle does not know its own scale.
        """
        known = self.trained and self.trained.um_per_px
        if known or um_per_px in (None, SAME):
            return
        raise InputError(
            f'{where} {um_per_px:g}: the bundle does not know the µm per '
            'pixel of its training images. Publish it anew by '
            'tools/publish.py --um-per-px (tools/prepare_matek.py --check '
            '--um-per-px notes it with the manifest), or say same where the '
            'cells show the same field.'
        )

    def __call__(self, file: str | Path) -> np.ndarray:
        """An image file as (3, H, W) uint8, RGB; raises as :meth:`read`."""
        return self.read(file)[0]

    def read(self, file: str | Path) -> tuple[np.ndarray, str]:
        """Read an image and tell how it differs from the training's.

        Returns:
            tuple[np.ndarray, str]: As :meth:`fit`.

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
        return self.fit(image, file)

    def fit(
        self,
        image: np.ndarray,
        file: str | Path | None = None,
        um_per_px: float | str | None = None,
    ) -> tuple[np.ndarray, str]:
        """Resize an image that was read elsewhere, and tell how it differs.

        Args:
            image (np.ndarray): (H, W, 3) uint8, BGR.
            file (str or Path, optional): Where it was read from; says the
                scale where nothing else does.
            um_per_px (float or str, optional): Of this image, where nothing
                is said of all. Defaults to None.

        Returns:
            tuple[np.ndarray, str]: (3, H, W) uint8, RGB; and as
            :func:`fit_field`.
        """
        known = self.um_per_px or um_per_px
        if not known and file and self.trained and self.trained.um_per_px:
            known = file_um_per_px(file)
        image, differs = fit_field(image, self.trained, known)
        small = cv2.resize(
            image,
            self.size,
            interpolation=INTERPOLATIONS[self.interpolation],
        )
        rgb = np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1))
        return rgb, differs


def small_picture(file: str | Path, bits: int | None = None) -> bytes:
    """An image as a JPEG file of 64 pixels a side at most.

    ``bits`` is as for :func:`read_image`.
    """
    image = read_image(str(file), bits=bits)
    scale = min(1, _SIDE / max(image.shape[:2]))
    small = cv2.resize(
        image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    return cv2.imencode('.jpg', small)[1].tobytes()
