import numpy as np
import pytest

from bm_plugins.datasets.matek_classes import CLASSES, SUPPORTS
from bm_plugins.report.runs.paper_results import (
    published,
    published_classes,
    published_test_images,
)


def by_name(table):
    return {p.name: p for p in published(table)}


def test_every_cell_of_the_tables_is_there():
    counts = {
        table: sum(len(p.values) for p in published(table))
        for table in (2, 3, 4)
    }
    assert counts == {2: 21, 3: 21 * (3 + 2 + 2), 4: 21 * 6}
    assert all('(' in p.protocol for t in (2, 3, 4) for p in published(t))


@pytest.mark.parametrize(
    ('table', 'name', 'metric', 'mean', 'digits'),
    [
        (2, 'paper, ResNeXt-50', 'f1', 0.625, 3),
        (3, 'paper, ResNeXt-50', 'precision', 0.6935, 4),
        (3, 'paper, ResNeXt-50', 'recall', 0.7253, 4),
        (3, 'paper, ResNeXt-50, mixup', 'precision', 0.6824, 4),
        (3, 'paper, ResNeXt-50, mixup', 'recall', 0.7292, 4),
        (3, 'Matek et al. 2021, ResNeXt-50', 'precision', 0.51, 2),
        (3, 'Matek et al. 2021, ResNeXt-50', 'recall', 0.69, 2),
        (3, 'Matek et al. 2021, ResNeXt-50', 'f1', 0.55, 2),
        (4, 'paper, SwAV + linear', 'precision', 0.776, 3),
        (4, 'paper, SwAV + linear', 'recall', 0.701, 3),
        (4, 'paper, SwAV + linear', 'f1', 0.732, 3),
        (4, 'paper, SupCon + linear', 'precision', 0.747, 3),
        (4, 'paper, SupCon + linear', 'recall', 0.657, 3),
        (4, 'paper, SupCon + linear', 'f1', 0.690, 3),
    ],
)
def test_published_averages(table, name, metric, mean, digits):
    found = by_name(table)[name].average(metric)
    assert abs(found - mean) <= 0.5001 * 10**-digits


def test_without_the_class_of_two_test_images():
    rest = tuple(code for code in CLASSES if code != 'ABE')
    table = by_name(4)
    swav = table['paper, SwAV + linear'].average('f1', rest)
    supcon = table['paper, SupCon + linear'].average('f1', rest)
    assert round(swav, 3) == 0.719 and round(supcon, 3) == 0.725


def test_the_split_that_the_recalls_show():
    # Recalls are printed to two digits: each is a count over the test images.
    for name in ('paper, SwAV + linear', 'paper, SupCon + linear'):
        for code in ('ABE', 'KSC', 'FGC', 'LYI'):
            n = published_test_images(code)
            recall = by_name(4)[name].values['recall', code]
            assert np.abs(np.arange(n + 1) / n - recall).min() < 0.0051
    images = {c: published_test_images(c) for c in ('ABE', 'KSC', 'FGC')}
    assert images == {'ABE': 2, 'KSC': 9, 'FGC': 10}
    assert {*CLASSES} - {*published_classes(10)} == {'ABE', 'KSC'}


def test_weighted_recall_is_the_accuracy():
    values = by_name(4)['paper, SupCon + linear'].values
    total = sum(
        values['recall', code] * n
        for code, n in zip(CLASSES, SUPPORTS, strict=True)
    )
    assert by_name(4)['paper, SupCon + linear'].weighted(
        'recall'
    ) == pytest.approx(total / sum(SUPPORTS))
    for table, name, accuracy in (
        (4, 'paper, SwAV + linear', 0.858),
        (4, 'paper, SupCon + linear', 0.867),
        (3, 'Matek et al. 2021, ResNeXt-50', 0.726),
        (3, 'paper, ResNeXt-50', 0.847),
    ):
        found = by_name(table)[name].weighted('recall')
        assert found == pytest.approx(accuracy, abs=0.0015)
