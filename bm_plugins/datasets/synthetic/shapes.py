"""Outlines, masks and noise, and the dyes laid through them."""

from functools import lru_cache

import cv2
import numpy as np

SIZE = 250  # pixels a side, as in the release
_ANGLES = np.linspace(0, 2 * np.pi, 96, endpoint=False)
_WAVES = np.arange(2, 7)


def any_angle(rng) -> float:
    return rng.uniform(0, 2 * np.pi)


def polar(angle, radius) -> np.ndarray:
    return np.stack([np.cos(angle) * radius, np.sin(angle) * radius], -1)


def turn(points, angle) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def scatter(rng, count, radius) -> np.ndarray:
    """Points (count, 2) spread evenly over a disc about the origin."""
    angles = rng.uniform(0, 2 * np.pi, count)
    return polar(angles, radius * np.sqrt(rng.random(count)))


def wavy(rng, radius, stretch=1.0, rough=0.03, indent=0.0) -> np.ndarray:
    """Closed outline (96, 2) about the origin, of area pi radius^2."""
    wobble = rng.normal(0, rough, 5) / np.sqrt(_WAVES - 1)
    phase = rng.uniform(0, 2 * np.pi, (5, 1))
    ring = 1 + wobble @ np.cos(_WAVES[:, None] * _ANGLES + phase)
    if indent:
        ring -= indent * np.exp(-(((_ANGLES - np.pi) / 0.5) ** 2))
    points = polar(_ANGLES, ring) * [stretch**-0.5, stretch**0.5]
    area = cv2.contourArea(points.astype(np.float32))
    return points * radius * np.sqrt(np.pi / area)


def _fixed(values) -> np.ndarray:
    """Sixteenths of a pixel, which OpenCV draws with ``shift=4``."""
    return np.rint(np.asarray(values) * 16).astype(np.int32)


def filled(*outlines, mask=None, value=255) -> np.ndarray:
    """Mask (H, W), uint8, of filled outlines."""
    mask = np.zeros((SIZE, SIZE), np.uint8) if mask is None else mask
    for points in outlines:
        cv2.fillPoly(mask, [_fixed(points)], value, cv2.LINE_AA, 4)
    return mask


def discs(centres, radii) -> np.ndarray:
    """Mask (H, W), uint8, of discs."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    radii = _fixed(np.broadcast_to(radii, len(centres))).tolist()
    for point, radius in zip(_fixed(centres).tolist(), radii, strict=True):
        cv2.circle(mask, point, radius, 255, -1, cv2.LINE_AA, 4)
    return mask


def stroke(mask, points, width) -> None:
    points = [_fixed(points)]
    cv2.polylines(mask, points, False, 255, int(width), cv2.LINE_AA, 4)


@lru_cache
def _noise_sheet(sigma: float) -> np.ndarray:
    """Smoothed noise (512, 512) of unit deviation, the same in each run."""
    noise = np.random.default_rng(0).standard_normal((512, 512), np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma)
    return noise / noise.std()


def noise_patch(rng, height: int, width: int, sigma: float) -> np.ndarray:
    y, x = rng.integers(0, 512 - SIZE, 2)
    return _noise_sheet(sigma)[y : y + height, x : x + width]


def paint(rng, canvas, mask, dyes, clumps=(), soft=0.9, cover=1.0) -> None:
    """Lay dyes over the canvas where the mask (uint8) is set."""
    x, y, width, height = cv2.boundingRect(mask)
    pad = int(3 * soft) + 1
    rows = slice(max(y - pad, 0), y + height + pad)
    columns = slice(max(x - pad, 0), x + width + pad)
    alpha = cv2.GaussianBlur(mask[rows, columns], (0, 0), soft)
    amount = alpha = alpha * np.float32(cover / 255)
    for strength, sigma in zip(clumps, (7.0, 3.0, 1.3), strict=False):
        if strength:
            noise = noise_patch(rng, *alpha.shape, sigma)
            amount = amount * np.maximum(1 + strength * noise, 0.5)
    for plane, dye in zip(canvas[:, rows, columns], dyes, strict=True):
        plane *= 1 - alpha
        if dye:
            plane += amount * np.float32(dye)
