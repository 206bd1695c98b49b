"""Painters of red cells, nucleated cells, smudges and artefacts.

Each adds to a canvas (3, H, W) of dye densities.
"""

from dataclasses import replace

import cv2
import numpy as np

from .looks import BESIDE, LOBES, LOOKS, CellLook
from .shapes import (
    SIZE,
    any_angle,
    discs,
    filled,
    paint,
    polar,
    scatter,
    stroke,
    turn,
    wavy,
)


def red_cells(rng, canvas) -> None:
    """Two to eight red cells, pink with a pale centre, on an empty canvas."""
    mask, dye = filled(), rng.uniform(0.35, 0.7)
    for _ in range(rng.integers(2, 9)):
        centre = SIZE / 2 + polar(any_angle(rng), rng.uniform(75, 165))
        disc = wavy(rng, rng.uniform(32, 46), rng.uniform(1, 1.3))
        disc = turn(disc, any_angle(rng))
        pale, reach = rng.uniform(10, 45), rng.uniform(0.4, 0.7)
        filled(centre + disc, mask=mask)
        for ring in range(1, 5):  # paler towards the centre
            inner = disc * reach * (1 - ring / 5)
            filled(centre + inner, mask=mask, value=255 - pale * ring)
    cells = cv2.GaussianBlur(mask, (0, 0), 2) * np.float32(1 / 255)
    canvas[1], canvas[2] = cells * np.float32(0.08), cells * np.float32(dye)


def _arc_nucleus(rng, look, centre, radius, angle) -> np.ndarray:
    """Mask of a band or segmented nucleus: discs along an arc."""
    lobes = LOBES[look.nucleus] or rng.integers(3, 6)
    span = rng.uniform(2.0, 2.8) if lobes == 2 else rng.uniform(3.4, 4.6)
    along = np.linspace(-0.5, 0.5, 64)
    if lobes == 1:
        arm = 0.55
        width = 0.62 + 0.07 * np.cos(along * 9 + any_angle(rng))
    else:
        arm = 0.5 if lobes == 2 else 0.59
        # Wide at the middle of a lobe, a strand between two.
        wave = np.abs(np.cos(np.pi * (along + 0.5) * (lobes - 1)))
        width = np.clip(wave, 0.16, 1) ** 0.8
        width *= {2: 1.0, 3: 0.86, 4: 0.74, 5: 0.66}[int(lobes)]
    size = np.sqrt(rng.uniform(*look.nuclear_ratio)) * radius
    bend = 1 + 0.12 * np.cos(along * 8 + any_angle(rng))
    path = polar(span * along, arm * radius * bend) - [0.12 * radius, 0]
    return discs(centre + turn(path, angle), width * size * 0.56)


def _granules(rng, canvas, look, cell, centre, radius) -> None:
    for number, grain, dyes in look.granules:
        count = int(number * (radius / 65) ** 2 * rng.uniform(0.7, 1.3))
        at = centre + scatter(rng, count, radius * 0.92)
        grains = discs(at, grain * rng.uniform(0.7, 1.2, count))
        grains = np.minimum(grains, cell)
        paint(rng, canvas, grains, dyes, (0.1, 0.1), 0.7, 0.9)


def _auer_rods(rng, canvas, count, centre, radius) -> None:
    rods = filled()
    for bundle in np.array_split(np.arange(count), rng.integers(3, 5)):
        lie, away = any_angle(rng), rng.uniform(0.45, 0.75) * radius
        middle = centre + polar(any_angle(rng), away)
        for _ in bundle:
            half = polar(lie + rng.normal(0, 0.2), rng.uniform(10, 18))
            ends = np.array([-half, half]) + rng.normal(0, 5, 2)
            stroke(rods, middle + ends, 3)
    paint(rng, canvas, rods, (1.1, 0, 1.1), (), 0.7)


def leukocyte(rng, canvas, look, centre) -> None:
    """Paint a whole nucleated cell."""
    radius = rng.uniform(*look.diameter) / 2 * rng.uniform(0.97, 1.2)
    size = radius * np.sqrt(rng.uniform(*look.nuclear_ratio))
    angle, stretch = any_angle(rng), rng.uniform(1, look.stretch)
    away = (radius - size) * look.eccentric * rng.uniform(0.7, 1)
    off = turn(np.array([0, 1.0]), angle)
    at = centre + away * off
    cell = filled(centre + turn(wavy(rng, radius, stretch), angle))
    for root in rng.uniform(0, 2 * np.pi, look.hairs):
        bend = np.array([0, rng.normal(0, 0.12)])
        reach = np.array([0.9, rng.uniform(1.15, 1.4)])
        hair = centre + polar(root + bend, radius * reach)
        stroke(cell, hair, rng.integers(2, 5))
    dyes = look.cytoplasm * rng.uniform(0.85, 1.15, 3)
    paint(rng, canvas, cell, dyes, (0.08, 0.1, 0.06))
    if look.halo:
        zone = discs([at - size * 0.85 * off], 0.45 * radius)
        zone = np.minimum(zone, cell)
        paint(rng, canvas, zone, (0.05, 0.12, 0.12), (), 5, look.halo)
    if look.vacuoles:
        count = rng.integers(3, look.vacuoles)
        holes = centre + scatter(rng, count, radius * 0.85)
        holes = discs(holes, rng.uniform(3, 6))
        paint(rng, canvas, holes, (0, 0.05, 0.05), cover=0.8)
    if not look.covered:
        _granules(rng, canvas, look, cell, centre, radius)
    if look.nucleus in LOBES:
        nucleus = _arc_nucleus(rng, look, centre, radius, angle)
    else:
        # The notch of an eccentric nucleus faces the cell's middle.
        lie = angle + np.pi / 2 if look.eccentric > 0.5 else any_angle(rng)
        rough = 0.06 if look.nucleus == 'folded' else 0.03
        notch, ratio = rng.uniform(*look.indent), rng.uniform(1, 1.15)
        outline = wavy(rng, size, ratio, rough, notch)
        nucleus = filled(at + turn(outline, lie))
    density = look.density * rng.uniform(0.85, 1.15)
    paint(rng, canvas, nucleus, (density, 0.1, 0), look.clumps)
    if look.nucleoli:
        count = rng.integers(1, look.nucleoli + 1)
        spots = at + scatter(rng, count, size * 0.6)
        spots = discs(spots, rng.uniform(0.1, 0.17) * size)
        paint(rng, canvas, spots, (density / 2, 0.35, 0), (), 1.2, 0.85)
    if look.rods:
        _auer_rods(rng, canvas, look.rods, centre, radius)
    if look.covered:
        _granules(rng, canvas, look, cell, centre, radius)


def _smudge(rng, canvas, look, centre) -> None:
    """A crushed nucleus, drawn out to one side, without cytoplasm."""
    angle, radius = any_angle(rng), rng.uniform(50, 75)
    outline = wavy(rng, radius, rng.uniform(1.2, 1.9), 0.13)
    mask = filled(centre + turn(outline, angle))
    for start in scatter(rng, 14, radius * 0.8):
        tail = np.array([[0, 0], [rng.normal(0, 12), rng.uniform(40, 100)]])
        width = rng.integers(3, 11)
        stroke(mask, centre + start + turn(tail, angle), width)
    dyes = (rng.uniform(0.45, 0.75), 0.05, 0.15)
    paint(rng, canvas, mask, dyes, (0.3, 0.2), rng.uniform(3, 5))


def _artefact(rng, canvas, look, centre) -> None:
    """Precipitate, a blot, fibres, a band of stain, or a burst cell."""
    kind, mask = rng.integers(5), filled()
    dyes = rng.uniform((0.4, 0.1, 0), (1.3, 0.8, 0.6))
    clumps, soft = (0.3, 0.3, 0.1), rng.uniform(0.8, 2)
    if kind == 0:
        count = rng.integers(30, 120)
        at = rng.normal(0, rng.uniform(14, 30), (count, 2))
        mask = discs(centre + at, rng.uniform(1, 6, count))
    elif kind == 1:
        at = polar(rng.uniform(0, 7, 40), rng.uniform(30, 68, 40))
        mask = discs(centre + at, rng.uniform(2, 8, 40))
        blot = wavy(rng, rng.uniform(35, 60), 1.2, 0.12)
        filled(centre + blot, mask=mask)
    elif kind == 2:
        for _ in range(rng.integers(2, 6)):
            steps = rng.normal(0, 14, (9, 2)) + rng.normal(0, 18, 2)
            path = np.cumsum(steps, 0)
            stroke(mask, centre + path - path.mean(0), rng.integers(2, 9))
    elif kind == 3:
        end, bow = polar(any_angle(rng), 300.0), rng.normal(0, 50, 2)
        stroke(mask, centre + [-end, bow, end], rng.integers(40, 110))
        dyes, clumps, soft = dyes * 0.6, (0.3, 0.2), rng.uniform(6, 12)
    else:
        burst = replace(LOOKS['BLA'], density=0.5, nucleoli=0)
        leukocyte(rng, canvas, burst, centre)
        for at in centre + scatter(rng, 8, 45):
            gap = wavy(rng, rng.uniform(8, 22), 1.6, 0.2)
            filled(at + gap, mask=mask)
        dyes = (0, 0.05, 0.05)
    paint(rng, canvas, mask, dyes, clumps, soft)


def _unclear(rng, canvas, look, centre) -> float | None:
    """A cell out of focus, clipped by the frame, or too dark to read."""
    look, kind = LOOKS[rng.choice(BESIDE)], rng.integers(3)
    if kind == 1:
        centre = centre + polar(any_angle(rng), rng.uniform(85, 110))
    elif kind == 2:
        dark = dict(density=1.9, clumps=(), cytoplasm=(0.8, 0.8, 0))
        look = CellLook((70, 110), (0.8, 0.95), **dark)
    leukocyte(rng, canvas, look, centre)
    return rng.uniform(5, 9) if kind == 0 else None


def _other(rng, canvas, look, centre) -> None:
    """A giant cell with a many-lobed nucleus, or a cell in mitosis."""
    if rng.random() < 0.5:
        cell = CellLook((220, 270), cytoplasm=(0.05, 0.15, 0.4))
        parts = [
            at + wavy(rng, rng.uniform(18, 30))
            for at in scatter(rng, rng.integers(6, 11), 55)
        ]
        dyes, clumps = (1.1, 0.1, 0), (0.25, 0.15)
    else:
        cell = CellLook((130, 170), cytoplasm=(0.05, 0.45, 0.1))
        gap, angle = rng.choice([0, rng.uniform(16, 26)]), any_angle(rng)
        parts = [
            turn(wavy(rng, size, 4.5, 0.12) + [side, 0], angle)
            for side, size in ((-gap, 22), (gap, rng.uniform(20, 25)))
        ]
        dyes, clumps = (1.7, 0.2, 0), (0.1, 0.2)
    hidden = replace(cell, nuclear_ratio=(0.01, 0.01), density=0.3)
    leukocyte(rng, canvas, hidden, centre)
    parts = filled(*(centre + part for part in parts))
    paint(rng, canvas, parts, dyes, clumps)


PAINTERS = {
    'artefact': _artefact,
    'smudge': _smudge,
    'unclear': _unclear,
    'other': _other,
}
