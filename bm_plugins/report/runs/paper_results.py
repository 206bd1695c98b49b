"""The paper's Tables 2 to 4, class by class.

``paper_results.csv`` holds them as published: "Beyond Labels: Visual
Representations for Bone Marrow Cell Morphology Recognition", with the
standard deviations of its folds. The paper gives no interval. Which protocol
a table follows is stated by the paper or was inferred from the steps of its
recalls (``protocol_source``); F1 of Matek et al. follows from the mean
precision and recall.
"""

import csv
from dataclasses import dataclass
from math import ceil, nan
from pathlib import Path

import numpy as np

from bm_plugins.datasets.matek_classes import CLASSES, SUPPORTS

RESULTS = Path(__file__).with_name('paper_results.csv')
NAMES = {
    'matek_resnext50': 'Matek et al. 2021, ResNeXt-50',
    'resnext50': 'paper, ResNeXt-50',
    'resnext50_mixup': 'paper, ResNeXt-50, mixup',
    'swav_resnet50_linear': 'paper, SwAV + linear',
    'supcon_resnet50_linear': 'paper, SupCon + linear',
}
TEST_SHARE = 5


@dataclass(frozen=True)
class Published:
    """A method's column in one of the tables.

    Attributes:
        name (str): The method.
        table (int): 2, 3 or 4.
        protocol (str): How it was tested, and how that is known.
        values (dict): Score of each ``(metric, code)``, in 0 to 1.
        stds (dict): Its standard deviation over the folds, where given.
    """

    name: str
    table: int
    protocol: str
    values: dict[tuple[str, str], float]
    stds: dict[tuple[str, str], float]

    def average(self, metric: str, codes: tuple[str, ...] = CLASSES) -> float:
        """Mean over some classes."""
        return float(np.mean([self.values[metric, c] for c in codes]))

    def weighted(self, metric: str) -> float:
        """Mean weighted by the release's supports."""
        values = [self.values[metric, code] for code in CLASSES]
        return float(np.average(values, weights=SUPPORTS))


def published(table: int) -> list[Published]:
    """The methods of one of the paper's tables, 2, 3 or 4, in its order."""
    with open(RESULTS, newline='', encoding='utf-8') as stream:
        rows = [r for r in csv.DictReader(stream) if int(r['table']) == table]
    result = []
    for method in dict.fromkeys(row['method'] for row in rows):
        mine = [row for row in rows if row['method'] == method]
        values, stds = {}, {}
        for row in mine:
            for metric in ('precision', 'recall', 'f1'):
                key = metric, row['code']
                if row[metric]:
                    values[key] = float(row[metric])
                if row.get(f'{metric}_std'):
                    stds[key] = float(row[f'{metric}_std'])
        protocol = f'{mine[0]["protocol"]} ({mine[0]["protocol_source"]})'
        result.append(Published(NAMES[method], table, protocol, values, stds))
    return result


def published_test_images(code: str) -> float:
    """Test images of a class in the paper's 80/20 split.

    Inferred: a fifth of the release's, rounded up, as the steps of the
    published recalls show (2 of ABE, 9 of KSC, 10 of FGC, 13 of LYI).
    """
    if code not in CLASSES:
        return nan
    return ceil(SUPPORTS[CLASSES.index(code)] / TEST_SHARE)


def published_classes(min_support: int) -> tuple[str, ...]:
    """Classes with that many test images in the paper's split."""
    return tuple(c for c in CLASSES if published_test_images(c) >= min_support)
