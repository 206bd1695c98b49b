"""Reading an image file: the same pixels in every tool, or why not."""

import io
import os
import stat
import sys
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from unicodedata import category

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps

from bm_plugins.errors import InputError, UnreadableImage
from bm_plugins.utils.csv_file import write_csv
from bm_plugins.utils.progress import track

from .layout import IMAGE_ENDINGS, OTHER_IMAGES
from .value_range import (
    MAX_BYTES,
    MAX_PIXELS,
    ORIENTATION,
    check_end,
    check_pixels,
    read_deep,
)

# Letters that end a line or act on a terminal, as unicodedata names them.
CONTROLS = ('Cc', 'Zl', 'Zp')


def decode_image(content: bytes, bits: int | None = None) -> np.ndarray:
    """Decode an image file.

    A plain JPEG goes through torchvision where that is imported: its
    libjpeg-turbo is OpenCV's, and it wastes less time around it. 16-bit
    values go through OpenCV (PNG) or tifffile, all else through Pillow. An
    alpha channel is dropped and never multiplied in, palettes, CMYK and LAB
    become colours, grey becomes three equal channels, and an image is turned
    as its Exif or TIFF tag says. Of several pages the first counts.

    Args:
        content (bytes): The file.
        bits (int, optional): Range of 16-bit values that does not stand in
            the file, by :func:`bm_plugins.datasets.value_range.value_bits`.
            Defaults to None: as few bits as hold the image's own values.

    Returns:
        np.ndarray: BGR (H, W, 3), uint8.

    Raises:
        UnreadableImage: It cannot be decoded, has more than ``MAX_PIXELS``,
            or values that are no such numbers; the message is the reason
            alone.
    """
    if shape := jpeg_shape(content):
        check_pixels(*shape)
        if 'torchvision.io' not in sys.modules:
            return _by_opencv(content)
        import torch
        from torchvision.io import decode_jpeg

        buffer = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        try:
            rgb = decode_jpeg(buffer).permute(1, 2, 0).numpy()
            return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR, rgb)
        except RuntimeError:  # some versions of OpenCV still read it
            return _by_opencv(content)
    try:
        if deep := read_deep(content):
            image = Image.fromarray(deep.to_8_bits(bits))
            image.getexif()[ORIENTATION] = deep.orientation
        else:
            image = _open(content)
        return pillow_pixels(image)
    except UnreadableImage:
        raise
    except Exception as error:  # Pillow's readers of damaged files raise any
        if content[:2] == b'\xff\xd8':
            return _by_opencv(content)
        raise UnreadableImage('cannot be decoded') from error


def pillow_pixels(image: Image.Image) -> np.ndarray:
    """BGR (H, W, 3), uint8, of an image that Pillow holds, as of its file.

    Raises:
        UnreadableImage: Its values are of more than 8 bits a channel.
    """
    rgb = np.asarray(_as_rgb(ImageOps.exif_transpose(image)))
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)


def _open(content: bytes) -> Image.Image:
    """Read the header; pixels are not decoded yet."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(content))
        except Image.DecompressionBombError:
            check_pixels(MAX_PIXELS, 2)
    check_pixels(image.height, image.width)
    return image


def _as_rgb(image: Image.Image) -> Image.Image:
    """Colours, without alpha."""
    if image.mode == 'LAB':
        lab, srgb = map(ImageCms.createProfile, ('LAB', 'sRGB'))
        return ImageCms.profileToProfile(image, lab, srgb, outputMode='RGB')
    if image.mode in ('I', 'F') or image.mode.startswith('I;'):
        raise UnreadableImage(
            'values of more than 16 bits, or no whole numbers: save it with '
            '8 or 16 bits a channel'
        )
    if image.mode in ('RGBa', 'La') or 'transparency' in image.info:
        image = image.convert('RGBA')
    return image.convert('RGB')


def _by_opencv(content: bytes) -> np.ndarray:
    """What Pillow and torchvision refuse; one image of the release is so."""
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), 1)
    except cv2.error:  # more pixels than OpenCV takes
        image = None
    if image is None:
        raise UnreadableImage('cannot be decoded')
    return image


def jpeg_shape(content: bytes) -> tuple[int, int] | None:
    """Height and width of a plain JPEG, read from its header.

    Returns:
        tuple[int, int] or None: In pixels; None for another format, for one
        that is not in three colours, and for a camera's, which may have to be
        turned (it has a segment APP1, with Exif or XMP).
    """
    if content[:2] != b'\xff\xd8':
        return None
    at, shape = 2, None
    while content[at : at + 1] == b'\xff' and at + 9 < len(content):
        marker = content[at + 1]
        # SOF0 to SOF2: baseline, extended and progressive
        if marker in (0xC0, 0xC1, 0xC2) and content[at + 9] == 3:
            height = int.from_bytes(content[at + 5 : at + 7], 'big')
            width = int.from_bytes(content[at + 7 : at + 9], 'big')
            shape = height, width
        elif marker == 0xE1:
            return None
        elif marker == 0xDA:  # the pixels begin
            return shape
        at += 2 + int.from_bytes(content[at + 2 : at + 4], 'big')
    return None


def read_content(path: str, folder: str | Path) -> bytes:
    """Read an image file under ``folder`` of which no end is missing.

    Raises:
        UnreadableImage: It cannot be used; the message is the reason alone.
    """
    if any(category(letter) in CONTROLS for letter in path):
        raise UnreadableImage('the name holds control characters')
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UnreadableImage('the name is not UTF-8') from None
    if path.lower().endswith(OTHER_IMAGES):
        raise UnreadableImage(
            f'is of a kind that is not read ({" ".join(IMAGE_ENDINGS)} are)'
        )
    file = Path(folder, path)
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableImage('is no file')
        if found.st_size > MAX_BYTES:
            raise UnreadableImage(f'is larger than {MAX_BYTES >> 20} MiB')
        content = file.read_bytes()
    except OSError as error:
        raise UnreadableImage(f'cannot be read ({error.strerror})') from None
    if not content:
        raise UnreadableImage('empty file')
    if content[:2] == b'\xff\xd8' and b'\xff\xd9' not in content[-4096:]:
        raise UnreadableImage('truncated JPEG')
    if content[:4] == b'\x89PNG' and b'IEND' not in content:
        raise UnreadableImage('truncated PNG')
    if content[:4] == b'RIFF':  # WebP
        check_end(content)
    return content


def read_image(
    path: str, folder: str | os.PathLike = '.', bits: int | None = None
) -> np.ndarray:
    """Read an image (H, W, 3), uint8, BGR, of which nothing is missing.

    ``path`` is relative to ``folder``, ``bits`` as for :func:`decode_image`.

    Raises:
        UnreadableImage: It cannot be used; the message is the reason alone.
    """
    return decode_image(read_content(path, folder), bits)


def find_fault(
    path: str, folder: str | Path, bits: int | None = None
) -> str | None:
    """Why an image cannot be used, or None for a whole one.

    Arguments as for :func:`read_image`.
    """
    try:
        read_image(path, folder, bits)
    except UnreadableImage as fault:
        return str(fault)
    return None


def find_faults(
    paths: Sequence[str],
    folder: str | Path,
    workers: int = 1,
    bits: int | None = None,
) -> dict[str, str]:
    """Decode all images, with a progress bar.

    Args:
        paths (Sequence[str]): Paths relative to ``folder``.
        folder (str or Path): The image folder.
        workers (int): Number of processes.
        bits (int, optional): As for :func:`decode_image`.

    Returns:
        dict[str, str]: Reason by path, of the images that cannot be used.
    """
    check_workers(workers)
    check = partial(find_fault, folder=folder, bits=bits)
    with ProcessPoolExecutor(max_workers=workers) as pool:
        reasons = pool.map(check, paths, chunksize=64)
        reasons = track(reasons, 'Decoding', total=len(paths))
        return {
            path: reason
            for path, reason in zip(paths, reasons, strict=True)
            if reason
        }


def write_faults(
    file: str | Path, faults: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Write ``path,reason``; names that are no UTF-8 with backslashes.

    Returns:
        list[tuple[str, str]]: The rows.
    """
    rows = [
        (path.encode(errors='backslashreplace').decode(), reason)
        for path, reason in faults.items()
    ]
    write_csv(file, ['path', 'reason'], rows)
    return rows


def check_workers(workers: int) -> None:
    """Raise InputError for a number of processes below 1."""
    if workers < 1:
        raise InputError(f'--workers {workers}: expected 1 or more.')
