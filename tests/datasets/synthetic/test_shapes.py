import cv2
import numpy as np
import pytest

from bm_plugins.datasets.synthetic.shapes import (
    SIZE,
    discs,
    filled,
    paint,
    polar,
    scatter,
    turn,
    wavy,
)


def test_outline_has_the_area_of_its_disc():
    rng = np.random.default_rng(0)
    for radius, stretch, indent in ((20, 1.0, 0), (50, 1.4, 0.6)):
        points = wavy(rng, radius, stretch, indent=indent)
        area = cv2.contourArea(points.astype(np.float32))
        assert area == pytest.approx(np.pi * radius**2, rel=1e-4)
        mask = filled(points + SIZE / 2)
        assert mask.sum() / 255 == pytest.approx(area, rel=0.1)


def test_turn_and_polar():
    assert polar(np.pi / 2, 3) == pytest.approx([0, 3])
    assert turn(np.array([2.0, 0]), np.pi / 2) == pytest.approx([0, 2])


def test_scatter_is_even_over_the_disc():
    points = scatter(np.random.default_rng(0), 40_000, 10)
    distance = np.hypot(*points.T)
    assert distance.max() <= 10
    # Half of the area lies within the radius over the root of two.
    assert (distance < 10 / 2**0.5).mean() == pytest.approx(0.5, abs=0.01)


def test_paint_covers_what_lies_under_it():
    canvas = np.ones((3, SIZE, SIZE), np.float32)
    mask = discs([[100, 120]], 30)
    paint(np.random.default_rng(0), canvas, mask, (2, 0, 0.5))
    assert canvas[:, 120, 100] == pytest.approx([2, 0, 0.5], abs=1e-3)
    assert canvas[:, 20, 20] == pytest.approx([1, 1, 1])
