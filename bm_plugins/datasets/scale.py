"""Scale of cell images: size, µm per pixel, and the field that they show."""

import html
import logging
import re
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, median_low
from typing import Any, BinaryIO

import cv2
import numpy as np
from mmengine.logging import print_log
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from bm_plugins.errors import InputError

# For images of the training's field, at whatever size.
SAME = 'same'
# What a microscope gives; prints of 72 to 300 dpi have 85 µm and more.
LOW, HIGH = 0.01, 2.0
# Sizes and fields that differ by this share count as the same.
TOLERANCE = 0.02
# How an image differs from the training's: padded to the field, cropped to
# it; of another size, of another shape, where the scale is not known.
NARROW, WIDE, SIZE, SHAPE = 'narrow', 'wide', 'size', 'shape'
# Cropped to less than this share of a side, as by a scale in other units.
PART, _LEAST = 'part', 1 / 3
_LARGEST = 4000  # pixels of a side that is padded
_UNITS = {
    **dict.fromkeys(('nm', 'nanometer'), 1e-3),
    **dict.fromkeys(('µm', 'μm', 'um', 'micron', 'microns'), 1.0),
    **dict.fromkeys(('micrometer', 'micrometre', r'\u00b5m'), 1.0),
    **dict(mm=1e3, cm=1e4, m=1e6, inch=25400.0),
}
_Tags = Mapping[int, Any]
_Pair = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """What the images of a collection have in common.

    Attributes:
        width, height (int): The usual ones, pixels.
        um_per_px (float, optional): None where it is not known.
        share (float): Of the images, those of this size.
    """

    width: int
    height: int
    um_per_px: float | None = None
    share: float = 1.0

    def __str__(self) -> str:
        """As in ``250 x 250 px, 0.1 µm per pixel``."""
        some = f' ({100 * self.share:.1f} % of them)' * (self.share < 1)
        known = 'µm per pixel not known'
        if self.um_per_px:
            known = f'{self.um_per_px:g} µm per pixel'
        return f'{self.width} x {self.height} px{some}, {known}'


def noted_scale(info: Mapping[str, Any] | None) -> Scale | None:
    """The scale in a manifest's stamp or a bundle's ``info``.

    None where an earlier version wrote it.
    """
    noted = (info or {}).get('scale')
    if not noted:
        return None
    return Scale(**{key: noted[key] for key in asdict(Scale(1, 1))})


def parse_um_per_px(
    value: float | str | None, where: str = '--um-per-px', same: bool = True
) -> float | str | None:
    """Read what a person says of a scale.

    Args:
        value (float, str or None): A number, with a decimal point or comma;
            ``'same'``; or nothing.
        where (str): What it was given by, for the error.
        same (bool): Take ``'same'``, too. Defaults to True.

    Returns:
        float, str or None: µm per pixel, ``'same'``, or None for nothing.

    Raises:
        InputError: It is no scale of a microscope.
    """
    text = '' if value is None else str(value).strip().lower()
    if not text or (same and text == SAME):
        return text or None
    try:
        number = float(text.replace(',', '.'))
    except ValueError:
        number = 0.0
    if LOW <= number <= HIGH:
        return number
    more = ', or "same" for the field of the training images' if same else ''
    raise InputError(
        f'{where} {value}: expected µm per pixel, {LOW:g} to {HIGH:g}, as '
        f'0.1{more}.'
    )


def measure_scale(
    files: Sequence[str | Path],
    um_per_px: float | str | None = None,
    workers: int = 1,
) -> Scale | None:
    """The usual size of image files, from their headers.

    Says in the log where the files' own scales are not that of all.

    Args:
        files (Sequence[str or Path]): The images.
        um_per_px (float or str, optional): What a person says of them.
            Defaults to None: what all files say alike, if they do.
        workers (int): Processes that read. Defaults to 1.

    Returns:
        Scale or None: Median width and height; None where no header can be
        read.

    Raises:
        InputError: As :func:`parse_um_per_px`.
    """
    given = parse_um_per_px(um_per_px, same=False)
    if workers == 1:
        found = [*filter(None, map(_facts, files))]
    else:
        with ProcessPoolExecutor(workers) as pool:
            found = [*filter(None, pool.map(_facts, files, chunksize=256))]
    if not found:
        return None
    width, height = (
        median_low(size[axis] for size, _ in found) for axis in (0, 1)
    )
    usual = sum(
        is_close(size[0], width) and is_close(size[1], height)
        for size, _ in found
    )
    said = [scale for _, scale in found if scale]
    known = [value for scale in said for value in scale]
    middle = given or (median(known) if known else None)
    alike = all(is_close(value, middle) for value in known)
    if not given and alike and len(said) == len(found):
        given = float(f'{middle:.6g}')
    elif said and not (given and alike):
        taken = f'{given:g} is taken for all' if given else 'none is taken'
        print_log(
            f'{len(said)} of {len(found)} images say a scale of their own, '
            f'{min(known):g} to {max(known):g} µm per pixel; {taken}. If '
            'they show other fields, put those of one scale into a '
            'collection of its own.',
            logger='current',
            level=logging.WARNING,
        )
    return Scale(width, height, given, usual / len(found))


def is_close(value: float, usual: float) -> bool:
    """Whether a length is that of training, but for ``TOLERANCE``."""
    return abs(value - usual) <= TOLERANCE * usual


def fit_field(
    image: np.ndarray,
    trained: Scale | None,
    um_per_px: float | _Pair | str | None,
) -> tuple[np.ndarray, str]:
    """Bring an image to the field of the training images.

    What shows more is cropped around its centre, what shows less is padded
    by repeating its edge, in which classes change least.

    Args:
        image (np.ndarray): (H, W, 3) uint8.
        trained (Scale, optional): Of the training images.
        um_per_px (float, tuple, str or None): Of this image; across and down
            where they differ; ``'same'`` for the field of training; None for
            not known.

    Returns:
        tuple[np.ndarray, str]: The image (h, w, 3), and how it differs:
        ``''``, or one of ``NARROW``, ``WIDE``, ``PART``, ``SIZE`` and
        ``SHAPE``.
    """
    height, width = image.shape[:2]
    if trained is None:
        return image, ''
    if um_per_px in (None, SAME) or not trained.um_per_px:
        if is_close(width, trained.width) and is_close(height, trained.height):
            return image, ''
        if not is_close(width * trained.height, height * trained.width):
            return image, SHAPE
        return image, '' if um_per_px == SAME else SIZE
    across, down = np.broadcast_to(um_per_px, 2)
    field = (
        max(1, round(trained.width * trained.um_per_px / across)),
        max(1, round(trained.height * trained.um_per_px / down)),
    )
    left, top = (
        max(0, have - want) // 2
        for have, want in zip((width, height), field, strict=True)
    )
    cut = image[top : top + field[1], left : left + field[0]]
    pairs = [*zip((width, height), field, strict=True)]
    if any(have < want for have, want in pairs):
        cut = _pad(cut, field)
    if any(want < _LEAST * have for have, want in pairs):
        return cut, PART
    if any(have < (1 - TOLERANCE) * want for have, want in pairs):
        return cut, NARROW
    wide = any(have > (1 + TOLERANCE) * want for have, want in pairs)
    return cut, WIDE if wide else ''


def _pad(image: np.ndarray, field: tuple[int, int]) -> np.ndarray:
    """Repeat the edge on all sides; a field of very many pixels shrinks."""
    size = image.shape[1::-1]
    shrink = _LARGEST / max(field)
    if shrink < 1:
        size = [max(1, round(side * shrink)) for side in size]
        field = [max(1, round(side * shrink)) for side in field]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    across, down = (max(0, f - s) for f, s in zip(field, size, strict=True))
    left, top = across // 2, down // 2
    return cv2.copyMakeBorder(
        image, top, down - top, left, across - left, cv2.BORDER_REPLICATE
    )


def file_um_per_px(file: str | Path) -> _Pair | None:
    """What a file says of its scale, where a microscope may have said it.

    OME-TIFF, ImageJ and Aperio descriptions, then the resolution of TIFF,
    JPEG, PNG, BMP and Exif.

    Returns:
        tuple[float, float] or None: µm per pixel across and down, of the
        image as it is turned.
    """
    facts = _facts(file)
    return facts and facts[1]


def _facts(file: str | Path) -> tuple[tuple[int, int], _Pair | None] | None:
    """Width and height, and µm per pixel, of a file's header."""
    try:
        with warnings.catch_warnings(), open(file, 'rb') as stream:
            warnings.simplefilter('ignore')
            start = stream.read(4)
            stream.seek(0)
            if start[:2] in (b'II', b'MM'):
                tags = _tiff_tags(stream)
                size = int(tags[256]), int(tags[257])
                said = _said_by_tiff(tags)
            else:
                with Image.open(stream) as image:
                    size, tags = image.size, image.getexif()
                    # Exif first: of it Pillow's dpi is that across alone.
                    dpi = image.info.get('dpi', (None, None))
                    said = [_resolution(tags), _per(_UNITS['inch'], *dpi)]
    except Exception:  # a damaged header; who reads the pixels says it
        return None
    scale = next(filter(_is_microscope, said), None)
    if tags.get(ExifTags.Base.Orientation) in (5, 6, 7, 8):
        return size[::-1], scale and scale[::-1]
    return size, scale


def _tiff_tags(stream: BinaryIO) -> _Tags:
    """Tags of the first page; Pillow's images refuse some kinds of pixels."""
    header = stream.read(8)
    if 43 in header[2:4]:  # BigTIFF
        header += stream.read(8)
    tags = ImageFileDirectory_v2(header)
    stream.seek(tags.next)
    tags.load(stream)
    return tags


def _said_by_tiff(tags: _Tags) -> list[_Pair | None]:
    text = str(tags.get(270, ''))
    try:
        text = text.encode('latin-1').decode()  # OME's is UTF-8
    except UnicodeError:
        pass
    found = []
    if pixels := re.search(r'<(?:\w+:)?Pixels\b([^>]*)>', text):
        found.append(_of_ome(pixels[1]))
    if text.startswith('ImageJ='):
        unit = re.search(r'^unit=(.+)$', text, re.M)
        factor = _UNITS.get(unit[1].strip().lower()) if unit else None
        found.append(_per(factor, tags.get(282), tags.get(283)))
    if aperio := re.search(r'\bMPP\s*=\s*([\d.]+)', text):
        found.append((float(aperio[1]),) * 2)
    return [*found, _resolution(tags)]


def _of_ome(attributes: str) -> _Pair | None:
    said = dict(re.findall(r'(\w+)\s*=\s*["\']([^"\']*)', attributes))
    pair = []
    for name in ('PhysicalSizeX', 'PhysicalSizeY'):
        unit = html.unescape(said.get(f'{name}Unit', 'µm')).lower()
        if name not in said or unit not in _UNITS:
            return None
        pair.append(float(said[name]) * _UNITS[unit])
    return pair[0], pair[1]


def _resolution(tags: _Tags) -> _Pair | None:
    """TIFF's and Exif's resolution, in inches unless they say otherwise."""
    factor = {2: _UNITS['inch'], 3: _UNITS['cm']}.get(tags.get(296, 2))
    return _per(factor, tags.get(282), tags.get(283))


def _per(factor: float | None, across: Any, down: Any) -> _Pair | None:
    """µm per pixel of pixels per unit."""
    if not (factor and across and down):
        return None
    return factor / float(across), factor / float(down)


def _is_microscope(scale: _Pair | None) -> bool:
    return scale is not None and all(LOW <= value <= HIGH for value in scale)
