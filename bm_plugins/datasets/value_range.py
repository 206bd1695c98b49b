"""Which range the values of 16-bit images use."""

import io
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile
from mmengine.logging import print_log
from PIL import Image

from bm_plugins.errors import InputError, UnreadableImage

MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 30
ORIENTATION = 0x0112  # the tag of Exif and of TIFF
# What cameras give; their files hold 16 bits all the same.
_BITS = (8, 10, 12, 14, 16)
_ENDINGS = ('.png', '.tif', '.tiff')
_PNG = b'\x89PNG'
_TIFF = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
_LOOKED = 5000  # files of which the header is read
_SAMPLES = 200  # those of 16 bits that are asked for their range


@dataclass(frozen=True)
class DeepImage:
    """An image of more than 8 bits a channel.

    Attributes:
        values (np.ndarray): Grey (H, W) or RGB (H, W, 3), uint16.
        bits (int or None): Bits that they use, where the file says so.
        orientation (int): As Exif has it; they are not yet turned.
        white_is_zero (bool): The values are those of a negative.
    """

    values: np.ndarray
    bits: int | None
    orientation: int
    white_is_zero: bool = False

    def to_8_bits(self, bits: int | None = None) -> np.ndarray:
        """The values as uint8, of the same shape.

        ``bits`` is what :func:`value_bits` found for all; None: where the
        file does not say its range, this image's own values decide.

        Raises:
            UnreadableImage: The values are not of the range of the other
                files; the message is the reason alone.
        """
        if self.bits is None and bits is not None:
            least, most = self.span
            dark = least < most < 1 << (bits - 2)
            if dark or most >= 1 << bits:
                raise UnreadableImage(
                    f'values up to {most} where the other 16-bit files use '
                    f'{bits} bits (up to {(1 << bits) - 1}): another range'
                )
        use = self.bits or bits or _fewest_bits(self.span[1])
        values = (self.values >> (use - 8)).astype(np.uint8)
        return 255 - values if self.white_is_zero else values

    @property
    def span(self) -> tuple[int, int]:
        """The least and the greatest value."""
        return int(self.values.min()), int(self.values.max())


def read_deep(content: bytes) -> DeepImage | None:
    """Read an image of more than 8 bits a channel.

    Its range stands in TIFF's BitsPerSample and MaxSampleValue or PNG's sBIT,
    or nowhere.

    Returns:
        DeepImage or None: None for any other file.

    Raises:
        UnreadableImage: Its values are no whole numbers of 9 to 16 bits, or
            cannot be decoded; the message is the reason alone.
    """
    try:
        if content[:4] == _PNG and content[24:25] == b'\x10':
            return _read_png(content)
        if content[:4] in _TIFF:
            return _read_tiff(content)
    except UnreadableImage:
        raise
    except Exception as error:  # whatever a damaged file leads to
        raise UnreadableImage('cannot be decoded') from error
    return None


def _read_png(content: bytes) -> DeepImage:
    check_pixels(*struct.unpack('>II', content[16:24]))
    flat = np.frombuffer(content, np.uint8)
    # Without alpha, which OpenCV leaves alone here, and not turned.
    image = cv2.imdecode(flat, cv2.IMREAD_UNCHANGED)
    if image.ndim == 3:
        image = image[..., 2::-1]
    orientation = 1
    if b'eXIf' in content:
        with Image.open(io.BytesIO(content)) as header:
            orientation = header.getexif().get(ORIENTATION, 1)
    bits = _significant_bits(content)
    # By the standard values are scaled to 16 bits; not by all writers.
    if bits and not (bits >= 8 and image.max() < 1 << bits):
        bits = 16
    return DeepImage(image, bits, orientation)


def _read_tiff(content: bytes) -> DeepImage | None:
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages[0]
        check_pixels(page.imagelength, page.imagewidth)
        unsigned = page.sampleformat in (1, 4)  # 4 is not said
        bits = page.bitspersample
        _check_channels(page)
        if page.compression != 1:
            check_end(content)
        if unsigned and bits <= 8:
            return None
        if not unsigned or bits > 16:
            raise UnreadableImage(
                f'values of type {page.dtype}: save it with 8 or 16 bits a '
                'channel, unsigned'
            )
        if page.photometric not in (0, 1, 2) or 1 in page.extrasamples:
            raise UnreadableImage(
                f'{bits} bits of {page.photometric.name}'
                f'{" times alpha" if 1 in page.extrasamples else ""}: save it '
                'as RGB without alpha, or with 8 bits a channel'
            )
        image = page.asarray()
        if page.planarconfig == 2 and image.ndim == 3:
            image = np.moveaxis(image, 0, 2)
        said = [page.tags[tag].value for tag in (341, 281) if tag in page.tags]
        turned = page.tags.get(ORIENTATION)
        white_is_zero = page.photometric == 0
    if image.ndim == 3:  # alpha and such come last
        image = image[..., :3] if page.photometric == 2 else image[..., 0]
    most = max(map(np.max, said), default=0)
    if bits == 16 and image.max() > most:
        bits = None  # the tag is wrong
    elif bits == 16:
        bits = next((b for b in _BITS[:-1] if most == (1 << b) - 1), None)
    values = image.astype(np.uint16, copy=False)
    turned = turned.value if turned else 1
    return DeepImage(values, bits, turned, white_is_zero)


def _check_channels(page: tifffile.TiffPage) -> None:
    """Refuse colours that are kept as grey values, each by itself.

    ImageJ's and OME's lie on pages of their own, of which the first would be
    read as grey.
    """
    said = re.search(
        r'^ImageJ=[\s\S]*^channels=(\d+)|\bSizeC\s*=\s*["\'](\d+)',
        page.description,
        re.M,
    )
    channels = int(said[1] or said[2]) if said else 1
    if page.samplesperpixel > 2:  # a second one may be alpha
        channels = page.samplesperpixel
    if channels > 1 and page.photometric in (0, 1):
        raise UnreadableImage(
            f'holds {channels} channels, each as grey values: save it as RGB '
            '(ImageJ: Image > Type > RGB Color)'
        )


def _significant_bits(png: bytes) -> int | None:
    """The greatest number in a PNG file's chunk sBIT; None without."""
    at = 8
    while at + 8 <= len(png):
        length, name = struct.unpack('>I4s', png[at : at + 8])
        if name == b'sBIT':
            return max(png[at + 8 : at + 8 + length], default=None)
        if name == b'IDAT':
            return None
        at += 12 + length
    return None


def _fewest_bits(most: int) -> int:
    return next(bits for bits in _BITS if most < 1 << bits)


def check_pixels(height: int, width: int) -> None:
    """Refuse a size that a small file may claim, before decoding.

    Raises:
        UnreadableImage: More than ``MAX_PIXELS``.
    """
    if height * width > MAX_PIXELS:
        raise UnreadableImage(
            f'has more than {MAX_PIXELS // 1_000_000} million pixels'
        )


def check_end(content: bytes) -> None:
    """Refuse a compressed file of which a copy was cut off.

    Some systems make room first: what was not copied is zero, and decoders
    take it for pixels.

    Raises:
        UnreadableImage: It ends in zeros; the message is the reason alone.
    """
    if not content[-256:].strip(b'\0'):
        raise UnreadableImage('ends in zeros, as a copy that was cut off')


def value_bits(paths: Sequence[str], folder: str | Path = '.') -> int | None:
    """The range that the 16-bit files of a folder share, told by its values.

    Microscope cameras give 10 to 14 bits, which programs save in 16 without
    a word of it: taken for 16 they are nearly black. A factor of its own for
    each image would change brightness from cell to cell, so that one counts
    for all: the fewest bits that hold the brightest value of some 200 16-bit
    files, evenly chosen. Says in the log what it found.

    Args:
        paths (Sequence[str]): Image files, relative to ``folder``.
        folder (str or Path): Defaults to the current one.

    Returns:
        int or None: 8, 10, 12, 14 or 16; None where no file needs it: of 8
        bits, or the file itself says how many.

    Raises:
        InputError: Some files use less than a quarter of the range of the
            others, which tells of two cameras or programs.
    """
    files = [path for path in paths if path.lower().endswith(_ENDINGS)]
    files = files[:: max(1, len(files) // _LOOKED)]
    files = [path for path in files if _may_be_deep(Path(folder, path))]
    most = {}
    for path in files[:: max(1, len(files) // _SAMPLES)]:
        try:
            deep = read_deep(Path(folder, path).read_bytes())
        except (OSError, ValueError):
            continue  # whoever reads it says why
        if deep and deep.bits is None and deep.span[0] < deep.span[1]:
            most[path] = deep.span[1]
    if not most:
        return None
    bright = max(most, key=most.get)
    bits = _fewest_bits(most[bright])
    if dark := [path for path in most if most[path] < 1 << (bits - 2)]:
        raise InputError(
            f'these images mix ranges of 16-bit values: {Path(folder, bright)}'
            f' goes up to {most[bright]}, {dark[0]} to {most[dark[0]]} only '
            f'(and {len(dark) - 1} more of {len(most)} such files). Save all '
            'with 8 bits a channel, or put the files of each camera into a '
            'folder of its own.'
        )
    print_log(
        f'16-bit files hold values of {bits} bits (up to {most[bright]} in '
        f'{len(most)} files, the brightest {Path(folder, bright)}): all are '
        f'divided by {1 << (bits - 8)}.',
        logger='current',
    )
    return bits


def _may_be_deep(file: Path) -> bool:
    """Whether a file says that it has more than 8 bits a channel."""
    try:
        if not file.is_file() or file.stat().st_size > MAX_BYTES:
            return False  # a pipe would be waited for
        with open(file, 'rb') as stream:
            head = stream.read(25)
            if head[:4] in _TIFF:
                stream.seek(0)
                with tifffile.TiffFile(stream) as tiff:
                    return tiff.pages[0].bitspersample > 8
    except Exception:  # damaged or gone: whoever reads it says so
        return False
    return head[:4] == _PNG and head[24:] == b'\x10'
