"""A folder of cells to predict, and what came of it."""

import csv

import cv2
import numpy as np

OUTPUTS = [
    'differential.csv',
    'differential_by_smear.csv',
    'prediction.json',
    'predictions.csv',
    'report.html',
    'skipped.csv',
    'slide_classes.csv',
]


def make_cells(folder):
    """Two smears of six cells, with the same names in both."""
    rng = np.random.default_rng(0)
    for smear in ('s1', 's2'):
        (folder / smear).mkdir(parents=True)
        for i in range(6):
            image = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / smear / f'{i}.jpg'), image)
    return folder


def rows(file):
    with open(file, newline='', encoding='utf-8') as stream:
        return list(csv.DictReader(stream))
