"""An image file from anywhere, or why it cannot be used."""

import io
import os
import stat
import warnings
from unicodedata import category

import numpy as np
from PIL import Image

from ..datasets.decode import decode_image
from ..datasets.whole_image import read_content
from ..errors import UnreadableImage
from .cell_list import CONTROLS

MAX_PIXELS = 100_000_000
_MAX_BYTES = 1 << 30


def read_image(path: str, folder: str | os.PathLike = '.') -> np.ndarray:
    """Read an image of unknown origin.

    Pixels are those of :class:`LoadCellImage`: 16 bits become 8, CMYK and
    palettes become colours, grey becomes three equal channels, an alpha
    channel is dropped. Of a file with several pages the first counts.

    Args:
        path (str): Path relative to ``folder``.
        folder (str or Path): Defaults to the current one.

    Returns:
        np.ndarray: (H, W, 3) uint8, BGR.

    Raises:
        UnreadableImage: The file is missing, damaged, no image, or of more
            than ``MAX_PIXELS``; the message is the reason alone.
    """
    if any(category(letter) in CONTROLS for letter in path):
        raise UnreadableImage('the name holds control characters')
    _check_file(os.path.join(folder, path))
    content = read_content(path, folder)
    if content[:4] == b'\x89PNG' and b'IEND' not in content:
        raise UnreadableImage('truncated PNG')
    _check_pixels(content)
    try:
        return decode_image(content)
    except ValueError:
        raise UnreadableImage('cannot be decoded') from None


def _check_file(file: str) -> None:
    """Refuse what would block or fill the memory."""
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return  # the reading says it
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableImage('is no file')
    if found.st_size > _MAX_BYTES:
        raise UnreadableImage(f'is larger than {_MAX_BYTES >> 20} MiB')


def _check_pixels(content: bytes) -> None:
    """Refuse a size that a small file may claim, before decoding."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                pixels = image.width * image.height
    except Image.DecompressionBombError:
        pixels = MAX_PIXELS + 1
    except Exception:  # Pillow's readers of damaged files raise anything
        return  # OpenCV, which reads some others, has a limit of its own
    if pixels > MAX_PIXELS:
        raise UnreadableImage(
            f'has more than {MAX_PIXELS // 1_000_000} million pixels'
        )
