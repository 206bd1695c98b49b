"""Synthetic marrow cells, drawn in the layout of Matek et al. 2021.

They stand in for the release when trying the tools out: the shapes follow the
textbook description of each class, and no image of the release is used. A
cell is painted as densities of three dyes, then developed by Beer-Lambert
absorption, so that a shift of stain or lamp acts as it does on a slide.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from ..errors import InputError

VERSION = 1  # Raise it whenever a drawn byte changes.
IMAGE_FOLDER = 'BM_cytomorphology_data'
SIZE = 250  # pixels a side, as in the release
MIN_PER_CLASS = 8
FLAT_BELOW = 1000  # The release has no range folders for its small classes.

Range = tuple[float, float]  # drawn from uniformly
Dyes = tuple[float, float, float]  # densities of nuclear dye, azure, eosin


@dataclass(frozen=True)
class CellLook:
    """How the cells of a class look; lengths are in pixels."""

    support: int  # images of the class in the release
    diameter: Range = (110, 150)
    nuclear_ratio: Range = (0.4, 0.5)  # nucleus's share of the cell's area
    nucleus: str = 'blob'  # or a key of LOBES or PAINTERS, or 'folded'
    indent: Range = (0.0, 0.05)  # depth of a blob's notch, in radii
    density: float = 1.0  # nuclear dye
    clumps: tuple = (0.1, 0.1, 0.05)  # chromatin: coarse, middle, fine
    nucleoli: int = 0  # at most
    cytoplasm: Dyes = (0.0, 0.3, 0.2)
    eccentric: float = 0.4  # nucleus offset, as a share of the free radius
    stretch: float = 1.15  # largest ratio of the axes
    halo: float = 0.0  # paleness of the zone beside the nucleus
    granules: tuple = ()  # kinds as (number, radius, dyes)
    covered: bool = False  # granules lie over the nucleus
    hairs: int = 0
    rods: int = 0  # Auer rods
    vacuoles: int = 0  # at most


# fmt: off
_NGS = CellLook(
    29424, (105, 150), (0.28, 0.36), 'lobes', density=1.15, eccentric=0.2,
    clumps=(0.2, 0.15, 0), cytoplasm=(0.02, 0.06, 0.3),
    granules=((110, 1.6, (0.2, 0.1, 0.35)),))
_EOS = replace(
    _NGS, support=5883, nucleus='bilobed', eccentric=0.6,
    cytoplasm=(0, 0.05, 0.6), granules=((230, 4.2, (0.03, 0, 1.45)),))
_LYT = CellLook(
    26242, (76, 108), (0.72, 0.86), density=1.35, eccentric=0.5,
    clumps=(0.25, 0.1, 0), cytoplasm=(0, 0.35, 0.03))
LOOKS = {
    'ABE': replace(_EOS, support=8, granules=(
        (170, 4.2, (0.03, 0, 1.45)), (45, 5.5, (1.2, 0.6, 0.1)))),
    'ART': CellLook(19630, nucleus='artefact'),
    'BAS': replace(
        _NGS, support=441, nuclear_ratio=(0.3, 0.42), nucleus='bilobed',
        density=0.75, cytoplasm=(0.05, 0.15, 0.25), covered=True,
        granules=((75, 6.0, (1.5, 0.9, 0)),)),
    'BLA': CellLook(
        11973, (125, 170), (0.74, 0.86), density=0.75, nucleoli=4,
        clumps=(0, 0.04, 0.1), cytoplasm=(0.03, 0.6, 0), stretch=1.2),
    'EBO': CellLook(
        27395, (80, 125), (0.24, 0.42), density=1.75, eccentric=0.3,
        clumps=(0.15, 0.05, 0), cytoplasm=(0.08, 0.25, 0.4), stretch=1.1),
    'EOS': _EOS,
    'FGC': CellLook(
        47, (135, 175), (0.42, 0.55), indent=(0.2, 0.5), density=0.85,
        cytoplasm=(0.05, 0.2, 0.3), eccentric=0.8, rods=26,
        granules=((90, 2.0, (0.6, 0.1, 0.4)),)),
    'HAC': replace(
        _LYT, support=409, diameter=(92, 125), nuclear_ratio=(0.42, 0.56),
        density=1.1, cytoplasm=(0, 0.5, 0.08), hairs=34),
    'KSC': CellLook(42, nucleus='smudge'),
    'LYI': replace(
        _LYT, support=65, diameter=(98, 130), nuclear_ratio=(0.76, 0.88),
        indent=(0.15, 0.4), density=1.0, clumps=(0.14, 0.08, 0.04),
        nucleoli=2, cytoplasm=(0, 0.65, 0)),
    'LYT': _LYT,
    'MMZ': CellLook(
        3055, (115, 155), (0.36, 0.46), indent=(0.55, 0.75), eccentric=0.55,
        clumps=(0.18, 0.15, 0), cytoplasm=(0.03, 0.12, 0.32),
        granules=((130, 1.7, (0.25, 0.1, 0.35)),)),
    'MON': CellLook(
        4040, (135, 180), (0.42, 0.54), 'folded', (0.35, 0.65), 0.85,
        (0.12, 0.25, 0.05), cytoplasm=(0.04, 0.42, 0.15), stretch=1.25,
        vacuoles=9),
    'MYB': CellLook(
        6557, (125, 165), (0.38, 0.48), density=0.95, eccentric=0.9,
        clumps=(0.15, 0.15, 0.03), cytoplasm=(0.05, 0.25, 0.3), halo=0.3,
        granules=((190, 2.0, (0.4, 0.15, 0.3)),)),
    'NGB': replace(_NGS, support=9968, nucleus='band'),
    'NGS': _NGS,
    'NIF': CellLook(3538, nucleus='unclear'),
    'OTH': CellLook(294, nucleus='other'),
    'PEB': CellLook(
        2740, (135, 180), (0.52, 0.64), density=0.95, nucleoli=2,
        clumps=(0.05, 0.1, 0.08), cytoplasm=(0.15, 1.35, 0), eccentric=0.3,
        stretch=1.08, halo=0.15),
    'PLM': CellLook(
        7629, (105, 150), (0.26, 0.36), density=1.3, clumps=(0.45, 0.05, 0),
        cytoplasm=(0.08, 1.1, 0.08), eccentric=1.0, stretch=1.45, halo=0.75),
    'PMO': CellLook(
        11994, (145, 185), (0.48, 0.62), density=0.8, nucleoli=2,
        clumps=(0.03, 0.08, 0.1), cytoplasm=(0.08, 0.5, 0.1), eccentric=0.8,
        halo=0.4, granules=((190, 2.3, (1.0, 0.1, 0.35)),), covered=True),
}
# Rows: dyes; columns: absorption of red, green and blue light at density 1.
_ABSORPTION = np.array(
    [[1.15, 1.85, 0.45], [0.85, 0.62, 0.1], [0.07, 0.5, 0.4]])
# fmt: on
CODES = tuple(LOOKS)
LOBES = {'band': 1, 'bilobed': 2, 'lobes': 0}  # 0: three to five
_BESIDE = ('LYT', 'EBO', 'NGS', 'BLA', 'PMO', 'MYB', 'MON', 'NGB')
_ANGLES = np.linspace(0, 2 * np.pi, 96, endpoint=False)
_WAVES = np.arange(2, 7)


def class_counts(images: int) -> dict[str, int]:
    """Share images among the classes by the square root of their support.

    The release's own shares (3,678 to 1) would leave its rare classes empty.

    Args:
        images (int): Images in all.

    Returns:
        dict[str, int]: Images of each code: at least ``MIN_PER_CLASS``, and
        at least 1 % of all.

    Raises:
        InputError: ``images`` is too few for that.
    """
    least = MIN_PER_CLASS * len(CODES)
    if images < least:
        raise InputError(
            f'{images} images are too few: each of the {len(CODES)} classes '
            f'has at least {MIN_PER_CLASS}, so ask for {least} or more.'
        )
    # floor(1 %) would fall short of 1 %.
    floor = max(MIN_PER_CLASS, -(-images // 100))
    weights = np.sqrt([look.support for look in LOOKS.values()])
    spare = images - floor * len(CODES)
    ends = np.rint(np.cumsum(weights) / weights.sum() * spare)
    shares = np.diff(ends, prepend=0).astype(int) + floor
    return dict(zip(CODES, shares.tolist(), strict=True))


def image_path(code: str, number: int, count: int) -> str:
    """Path of an image in the release's layout.

    Args:
        code (str): Class code.
        number (int): Number of the image in its class, from 1.
        count (int): Images of the class, where its last range ends.

    Returns:
        str: Path relative to the data root, with forward slashes.
    """
    folder = f'{IMAGE_FOLDER}/{code}'
    if LOOKS[code].support >= FLAT_BELOW:
        first = (number - 1) // 1000 * 1000 + 1
        folder += f'/{first:04d}-{min(first + 999, count):04d}'
    return f'{folder}/{code}_{number:05d}.jpg'


def draw_cell(seed: int, code: str, number: int) -> np.ndarray:
    """Draw one image; it depends on nothing but the arguments.

    Args:
        seed (int): Seed of the collection, 0 or more.
        code (str): Class code.
        number (int): Number of the image in its class.

    Returns:
        np.ndarray: RGB image (250, 250, 3), uint8.

    Raises:
        InputError: The seed is negative or the code unknown.
    """
    if seed < 0:
        raise InputError(f'seed {seed} is negative; give 0 or more.')
    if code not in LOOKS:
        raise InputError(f'unknown code {code}; known: {" ".join(CODES)}.')
    rng = np.random.default_rng([seed, CODES.index(code), number])
    canvas = np.zeros((3, SIZE, SIZE), np.float32)  # a plane for each dye
    _red_cells(rng, canvas)
    if rng.random() < 0.3:
        beside = SIZE / 2 + _polar(_angle(rng), rng.uniform(130, 165))
        _leukocyte(rng, canvas, LOOKS[rng.choice(_BESIDE)], beside)
    look, centre = LOOKS[code], SIZE / 2 + rng.uniform(-10, 10, 2)
    blur = rng.uniform(0.5, 1.8)
    painter = PAINTERS.get(look.nucleus, _leukocyte)
    return _develop(rng, canvas, painter(rng, canvas, look, centre) or blur)


def encode_cell(seed: int, code: str, number: int) -> bytes:
    """Draw an image as :func:`draw_cell` does and encode it as JPEG."""
    bgr = draw_cell(seed, code, number)[..., ::-1]
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
    return cv2.imencode('.jpg', bgr, quality)[1].tobytes()


def _angle(rng) -> float:
    return rng.uniform(0, 2 * np.pi)


def _polar(angle, radius) -> np.ndarray:
    return np.stack([np.cos(angle) * radius, np.sin(angle) * radius], -1)


def _turn(points, angle) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def _spread(rng, count, radius) -> np.ndarray:
    """Points (count, 2) spread evenly over a disc about the origin."""
    angles = rng.uniform(0, 2 * np.pi, count)
    return _polar(angles, radius * np.sqrt(rng.random(count)))


def _outline(rng, radius, stretch=1.0, rough=0.03, indent=0.0) -> np.ndarray:
    """Closed outline (96, 2) about the origin, of area pi radius^2."""
    wobble = rng.normal(0, rough, 5) / np.sqrt(_WAVES - 1)
    phase = rng.uniform(0, 2 * np.pi, (5, 1))
    ring = 1 + wobble @ np.cos(_WAVES[:, None] * _ANGLES + phase)
    if indent:
        ring -= indent * np.exp(-(((_ANGLES - np.pi) / 0.5) ** 2))
    points = _polar(_ANGLES, ring) * [stretch**-0.5, stretch**0.5]
    area = cv2.contourArea(points.astype(np.float32))
    return points * radius * np.sqrt(np.pi / area)


def _fixed(values) -> np.ndarray:
    """Sixteenths of a pixel, which OpenCV draws with ``shift=4``."""
    return np.rint(np.asarray(values) * 16).astype(np.int32)


def _filled(*outlines, mask=None, value=255) -> np.ndarray:
    """Mask (H, W), uint8, of filled outlines."""
    mask = np.zeros((SIZE, SIZE), np.uint8) if mask is None else mask
    for points in outlines:
        cv2.fillPoly(mask, [_fixed(points)], value, cv2.LINE_AA, 4)
    return mask


def _discs(centres, radii) -> np.ndarray:
    """Mask (H, W), uint8, of discs."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    radii = _fixed(np.broadcast_to(radii, len(centres))).tolist()
    for point, radius in zip(_fixed(centres).tolist(), radii, strict=True):
        cv2.circle(mask, point, radius, 255, -1, cv2.LINE_AA, 4)
    return mask


def _line(mask, points, width) -> None:
    points = [_fixed(points)]
    cv2.polylines(mask, points, False, 255, int(width), cv2.LINE_AA, 4)


@lru_cache
def _noise_sheet(sigma: float) -> np.ndarray:
    """Smoothed noise (512, 512) of unit deviation, the same in each run."""
    noise = np.random.default_rng(0).standard_normal((512, 512), np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma)
    return noise / noise.std()


def _noise(rng, height: int, width: int, sigma: float) -> np.ndarray:
    y, x = rng.integers(0, 512 - SIZE, 2)
    return _noise_sheet(sigma)[y : y + height, x : x + width]


def _paint(rng, canvas, mask, dyes, clumps=(), soft=0.9, cover=1.0) -> None:
    """Lay dyes over the canvas where the mask (uint8) is set."""
    x, y, width, height = cv2.boundingRect(mask)
    pad = int(3 * soft) + 1
    rows = slice(max(y - pad, 0), y + height + pad)
    columns = slice(max(x - pad, 0), x + width + pad)
    alpha = cv2.GaussianBlur(mask[rows, columns], (0, 0), soft)
    amount = alpha = alpha * np.float32(cover / 255)
    for strength, sigma in zip(clumps, (7.0, 3.0, 1.3), strict=False):
        if strength:
            noise = _noise(rng, *alpha.shape, sigma)
            amount = amount * np.maximum(1 + strength * noise, 0.5)
    for plane, dye in zip(canvas[:, rows, columns], dyes, strict=True):
        plane *= 1 - alpha
        if dye:
            plane += amount * np.float32(dye)


def _red_cells(rng, canvas) -> None:
    """Two to eight red cells, pink with a pale centre, on an empty canvas."""
    mask, dye = _filled(), rng.uniform(0.35, 0.7)
    for _ in range(rng.integers(2, 9)):
        centre = SIZE / 2 + _polar(_angle(rng), rng.uniform(75, 165))
        disc = _outline(rng, rng.uniform(32, 46), rng.uniform(1, 1.3))
        disc = _turn(disc, _angle(rng))
        pale, reach = rng.uniform(10, 45), rng.uniform(0.4, 0.7)
        _filled(centre + disc, mask=mask)
        for ring in range(1, 5):  # paler towards the centre
            inner = disc * reach * (1 - ring / 5)
            _filled(centre + inner, mask=mask, value=255 - pale * ring)
    cells = cv2.GaussianBlur(mask, (0, 0), 2) * np.float32(1 / 255)
    canvas[1], canvas[2] = cells * np.float32(0.08), cells * np.float32(dye)


def _arc_nucleus(rng, look, centre, radius, angle) -> np.ndarray:
    """Mask of a band or segmented nucleus: discs along an arc."""
    lobes = LOBES[look.nucleus] or rng.integers(3, 6)
    span = rng.uniform(2.0, 2.8) if lobes == 2 else rng.uniform(3.4, 4.6)
    along = np.linspace(-0.5, 0.5, 64)
    if lobes == 1:
        arm = 0.55
        width = 0.62 + 0.07 * np.cos(along * 9 + _angle(rng))
    else:
        arm = 0.5 if lobes == 2 else 0.59
        # Wide at the middle of a lobe, a strand between two.
        wave = np.abs(np.cos(np.pi * (along + 0.5) * (lobes - 1)))
        width = np.clip(wave, 0.16, 1) ** 0.8
        width *= {2: 1.0, 3: 0.86, 4: 0.74, 5: 0.66}[int(lobes)]
    size = np.sqrt(rng.uniform(*look.nuclear_ratio)) * radius
    bend = 1 + 0.12 * np.cos(along * 8 + _angle(rng))
    path = _polar(span * along, arm * radius * bend) - [0.12 * radius, 0]
    return _discs(centre + _turn(path, angle), width * size * 0.56)


def _granules(rng, canvas, look, cell, centre, radius) -> None:
    for number, grain, dyes in look.granules:
        count = int(number * (radius / 65) ** 2 * rng.uniform(0.7, 1.3))
        at = centre + _spread(rng, count, radius * 0.92)
        grains = _discs(at, grain * rng.uniform(0.7, 1.2, count))
        grains = np.minimum(grains, cell)
        _paint(rng, canvas, grains, dyes, (0.1, 0.1), 0.7, 0.9)


def _auer_rods(rng, canvas, count, centre, radius) -> None:
    rods = _filled()
    for bundle in np.array_split(np.arange(count), rng.integers(3, 5)):
        lie, away = _angle(rng), rng.uniform(0.45, 0.75) * radius
        middle = centre + _polar(_angle(rng), away)
        for _ in bundle:
            half = _polar(lie + rng.normal(0, 0.2), rng.uniform(10, 18))
            ends = np.array([-half, half]) + rng.normal(0, 5, 2)
            _line(rods, middle + ends, 3)
    _paint(rng, canvas, rods, (1.1, 0, 1.1), (), 0.7)


def _leukocyte(rng, canvas, look, centre) -> None:
    """Paint a whole nucleated cell."""
    radius = rng.uniform(*look.diameter) / 2 * rng.uniform(0.97, 1.2)
    size = radius * np.sqrt(rng.uniform(*look.nuclear_ratio))
    angle, stretch = _angle(rng), rng.uniform(1, look.stretch)
    away = (radius - size) * look.eccentric * rng.uniform(0.7, 1)
    off = _turn(np.array([0, 1.0]), angle)
    at = centre + away * off
    cell = _filled(centre + _turn(_outline(rng, radius, stretch), angle))
    for root in rng.uniform(0, 2 * np.pi, look.hairs):
        bend = np.array([0, rng.normal(0, 0.12)])
        reach = np.array([0.9, rng.uniform(1.15, 1.4)])
        hair = centre + _polar(root + bend, radius * reach)
        _line(cell, hair, rng.integers(2, 5))
    dyes = look.cytoplasm * rng.uniform(0.85, 1.15, 3)
    _paint(rng, canvas, cell, dyes, (0.08, 0.1, 0.06))
    if look.halo:
        zone = _discs([at - size * 0.85 * off], 0.45 * radius)
        zone = np.minimum(zone, cell)
        _paint(rng, canvas, zone, (0.05, 0.12, 0.12), (), 5, look.halo)
    if look.vacuoles:
        count = rng.integers(3, look.vacuoles)
        holes = centre + _spread(rng, count, radius * 0.85)
        holes = _discs(holes, rng.uniform(3, 6))
        _paint(rng, canvas, holes, (0, 0.05, 0.05), cover=0.8)
    if not look.covered:
        _granules(rng, canvas, look, cell, centre, radius)
    if look.nucleus in LOBES:
        nucleus = _arc_nucleus(rng, look, centre, radius, angle)
    else:
        # The notch of an eccentric nucleus faces the cell's middle.
        lie = angle + np.pi / 2 if look.eccentric > 0.5 else _angle(rng)
        rough = 0.06 if look.nucleus == 'folded' else 0.03
        notch, ratio = rng.uniform(*look.indent), rng.uniform(1, 1.15)
        outline = _outline(rng, size, ratio, rough, notch)
        nucleus = _filled(at + _turn(outline, lie))
    density = look.density * rng.uniform(0.85, 1.15)
    _paint(rng, canvas, nucleus, (density, 0.1, 0), look.clumps)
    if look.nucleoli:
        count = rng.integers(1, look.nucleoli + 1)
        spots = at + _spread(rng, count, size * 0.6)
        spots = _discs(spots, rng.uniform(0.1, 0.17) * size)
        _paint(rng, canvas, spots, (density / 2, 0.35, 0), (), 1.2, 0.85)
    if look.rods:
        _auer_rods(rng, canvas, look.rods, centre, radius)
    if look.covered:
        _granules(rng, canvas, look, cell, centre, radius)


def _smudge(rng, canvas, look, centre) -> None:
    """A crushed nucleus, drawn out to one side, without cytoplasm."""
    angle, radius = _angle(rng), rng.uniform(50, 75)
    outline = _outline(rng, radius, rng.uniform(1.2, 1.9), 0.13)
    mask = _filled(centre + _turn(outline, angle))
    for start in _spread(rng, 14, radius * 0.8):
        tail = np.array([[0, 0], [rng.normal(0, 12), rng.uniform(40, 100)]])
        width = rng.integers(3, 11)
        _line(mask, centre + start + _turn(tail, angle), width)
    dyes = (rng.uniform(0.45, 0.75), 0.05, 0.15)
    _paint(rng, canvas, mask, dyes, (0.3, 0.2), rng.uniform(3, 5))


def _artefact(rng, canvas, look, centre) -> None:
    """Precipitate, a blot, fibres, a band of stain, or a burst cell."""
    kind, mask = rng.integers(5), _filled()
    dyes = rng.uniform((0.4, 0.1, 0), (1.3, 0.8, 0.6))
    clumps, soft = (0.3, 0.3, 0.1), rng.uniform(0.8, 2)
    if kind == 0:
        count = rng.integers(30, 120)
        at = rng.normal(0, rng.uniform(14, 30), (count, 2))
        mask = _discs(centre + at, rng.uniform(1, 6, count))
    elif kind == 1:
        at = _polar(rng.uniform(0, 7, 40), rng.uniform(30, 68, 40))
        mask = _discs(centre + at, rng.uniform(2, 8, 40))
        blot = _outline(rng, rng.uniform(35, 60), 1.2, 0.12)
        _filled(centre + blot, mask=mask)
    elif kind == 2:
        for _ in range(rng.integers(2, 6)):
            steps = rng.normal(0, 14, (9, 2)) + rng.normal(0, 18, 2)
            path = np.cumsum(steps, 0)
            _line(mask, centre + path - path.mean(0), rng.integers(2, 9))
    elif kind == 3:
        end, bow = _polar(_angle(rng), 300.0), rng.normal(0, 50, 2)
        _line(mask, centre + [-end, bow, end], rng.integers(40, 110))
        dyes, clumps, soft = dyes * 0.6, (0.3, 0.2), rng.uniform(6, 12)
    else:
        burst = replace(LOOKS['BLA'], density=0.5, nucleoli=0)
        _leukocyte(rng, canvas, burst, centre)
        for at in centre + _spread(rng, 8, 45):
            gap = _outline(rng, rng.uniform(8, 22), 1.6, 0.2)
            _filled(at + gap, mask=mask)
        dyes = (0, 0.05, 0.05)
    _paint(rng, canvas, mask, dyes, clumps, soft)


def _unclear(rng, canvas, look, centre) -> float | None:
    """A cell out of focus, clipped by the frame, or too dark to read."""
    look, kind = LOOKS[rng.choice(_BESIDE)], rng.integers(3)
    if kind == 1:
        centre = centre + _polar(_angle(rng), rng.uniform(85, 110))
    elif kind == 2:
        dark = dict(density=1.9, clumps=(), cytoplasm=(0.8, 0.8, 0))
        look = CellLook(0, (70, 110), (0.8, 0.95), **dark)
    _leukocyte(rng, canvas, look, centre)
    return rng.uniform(5, 9) if kind == 0 else None


def _other(rng, canvas, look, centre) -> None:
    """A giant cell with a many-lobed nucleus, or a cell in mitosis."""
    if rng.random() < 0.5:
        cell = CellLook(0, (220, 270), cytoplasm=(0.05, 0.15, 0.4))
        parts = [
            at + _outline(rng, rng.uniform(18, 30))
            for at in _spread(rng, rng.integers(6, 11), 55)
        ]
        dyes, clumps = (1.1, 0.1, 0), (0.25, 0.15)
    else:
        cell = CellLook(0, (130, 170), cytoplasm=(0.05, 0.45, 0.1))
        gap, angle = rng.choice([0, rng.uniform(16, 26)]), _angle(rng)
        parts = [
            _turn(_outline(rng, size, 4.5, 0.12) + [side, 0], angle)
            for side, size in ((-gap, 22), (gap, rng.uniform(20, 25)))
        ]
        dyes, clumps = (1.7, 0.2, 0), (0.1, 0.2)
    hidden = replace(cell, nuclear_ratio=(0.01, 0.01), density=0.3)
    _leukocyte(rng, canvas, hidden, centre)
    parts = _filled(*(centre + part for part in parts))
    _paint(rng, canvas, parts, dyes, clumps)


def _develop(rng, canvas, blur) -> np.ndarray:
    """Stain, lamp, focus and camera: dyes (3, H, W) to RGB (H, W, 3)."""
    stain = _ABSORPTION * np.exp(rng.normal(0, 0.07, (3, 3)))
    stain *= np.exp(rng.normal(0, 0.11, (3, 1)))
    lamp = rng.uniform(175, 248) * np.exp(rng.normal(0, 0.035, 3))
    slope = np.linspace(-0.5, 0.5, SIZE, dtype=np.float32)
    tilt_x, tilt_y = rng.normal(0, 0.09, 2).astype(np.float32)
    for plane in canvas:
        cv2.GaussianBlur(plane, (0, 0), blur, dst=plane)
    light = -stain.T.astype(np.float32) @ canvas.reshape(3, -1)
    light += np.log(lamp).astype(np.float32)[:, None]
    image = cv2.exp(light, dst=light).reshape(3, SIZE, SIZE)
    image *= 1 + tilt_x * slope + tilt_y * slope[:, None]
    image += 3 * _noise(rng, SIZE, SIZE, 0.6)
    np.clip(image, 0, 255, out=image)
    return cv2.merge(list(image.astype(np.uint8)))


PAINTERS = {
    'artefact': _artefact,
    'smudge': _smudge,
    'unclear': _unclear,
    'other': _other,
}
