from functools import lru_cache

import cv2
import numpy as np
import pytest

from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.datasets.synthetic.collection import draw_cell


@lru_cache
def measures(code, count=10):
    """Medians of a class: shares of all pixels, and colour contrasts."""
    values = []
    for number in range(1, count + 1):
        image = draw_cell(0, code, number).astype(np.float32)
        # Optical density undoes lamp and background.
        lamp = np.percentile(image, 97, axis=(0, 1))
        density = -np.log((image + 4) / (lamp + 4))[40:210, 40:210]
        red, green, blue = np.moveaxis(density, -1, 0)
        dark = (green > 1.0).astype(np.uint8)
        contours = cv2.findContours(
            dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )[0]
        solid = 1.0
        if contours:
            largest = max(contours, key=cv2.contourArea)
            hull = cv2.contourArea(cv2.convexHull(largest))
            solid = cv2.contourArea(largest) / max(hull, 1)
        values.append(
            dict(
                nucleus=dark.mean(),
                blue=((red > 0.45) & (blue < 0.27)).mean(),
                orange=((blue > 0.3) & (red < 0.25)).mean(),
                solid=solid,
                sharp=np.abs(cv2.Laplacian(green, cv2.CV_32F)).mean(),
            )
        )
    return {key: np.median([v[key] for v in values]) for key in values[0]}


@pytest.mark.parametrize(
    'more,less,measure',
    [
        ('BLA', 'LYT', 'nucleus'),
        ('PMO', 'MMZ', 'nucleus'),
        ('LYT', 'EBO', 'nucleus'),
        ('PEB', 'BLA', 'blue'),
        ('PLM', 'EBO', 'blue'),
        ('EOS', 'NGS', 'orange'),
        ('EOS', 'ABE', 'orange'),
        ('MYB', 'MMZ', 'solid'),
        ('MMZ', 'NGB', 'solid'),
        ('BAS', 'NGS', 'nucleus'),
        ('PMO', 'BLA', 'sharp'),
        ('BAS', 'BLA', 'sharp'),
    ],
)
def test_known_pairs_of_classes_differ(more, less, measure):
    high, low = measures(more)[measure], measures(less)[measure]
    assert high > 1.03 * low, (high, low)


def test_every_class_looks_like_no_other():
    """Pictures of a class are nearer to it than chance would have them."""
    count = 10
    cells = np.stack(
        [
            [
                cv2.resize(
                    draw_cell(1, code, number)[60:190, 60:190],
                    (26, 26),
                    interpolation=cv2.INTER_AREA,
                )
                for number in range(1, count + 1)
            ]
            for code in CLASSES
        ]
    ).astype(np.float32)
    # Rotation does not matter: tones by distance from the middle.
    y, x = np.mgrid[-12.5:13, -12.5:13]
    ring = np.minimum(np.hypot(y, x), 12).astype(int)
    profile = [
        stat(cells[:, :, ring == r], axis=2)
        for r in range(13)
        for stat in (np.mean, np.std)
    ]
    features = np.concatenate(profile, -1)
    features /= features.std((0, 1))
    centres = features[:, : count // 2].mean(1)
    rest = features[:, count // 2 :]
    distance = ((rest[:, :, None] - centres) ** 2).sum(-1)
    nearest = distance.argmin(-1)
    hits = (nearest == np.arange(len(CLASSES))[:, None]).mean()
    assert hits > 5 / len(CLASSES)
    between = ((centres[:, None] - centres) ** 2).sum(-1)
    assert between[~np.eye(len(CLASSES), dtype=bool)].min() > 1
