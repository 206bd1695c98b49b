import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from bm_plugins.datasets.matek_classes import CLASSES, FULL_NAMES
from bm_plugins.engine.features.frozen_features import Features
from bm_plugins.errors import InputError
from bm_plugins.visualization.tsne import apart, tsne, tsne_picture
from tests.visualization.test_run_plots import inside


def clouds(each=8):
    """Features of 21 classes that lie apart."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(21), each)
    centres = rng.normal(0, 10, (21, 32))
    return centres[labels] + rng.normal(0, 0.1, (len(labels), 32)), labels


def test_neighbours_stay_neighbours_and_the_seed_decides():
    values, labels = clouds()
    one = tsne(values, seed=0)
    assert np.array_equal(one, tsne(values, seed=0))
    knn = KNeighborsClassifier(3).fit(one, labels)
    assert knn.score(one, labels) == 1
    with pytest.raises(InputError, match='too few for t-SNE'):
        tsne(values[:4])


def test_all_21_classes_have_a_mark_and_a_name():
    values, labels = clouds(4)
    found = Features(
        torch.tensor(values),
        torch.tensor(labels),
        ['x'] * len(labels),
        ['x'] * len(labels),
        CLASSES,
        FULL_NAMES,
    )
    figure = tsne_picture(found, tsne(values), 'by hand')
    inside(figure)
    axes = figure.axes[0]
    marks = {
        (tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.tobytes())
        for c in axes.collections
    }
    assert len(axes.collections) == len(marks) == 21
    assert {t.get_text() for t in axes.texts} == {*CLASSES}
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert len({*legend}) == 21 and 'Blasts (BLA), 4' in legend


def test_no_code_covers_another():
    size = np.array([100.0, 100.0])
    middles = {str(i): (50 + i % 3, 50 - i / 10, 'red') for i in range(12)}
    middles['far'] = (10, 50, 'red')
    found = apart(middles, size)
    assert found['far'] == (10, 50) and found['0'] == (50, 50)
    heights = sorted(y for code, (_, y) in found.items() if code != 'far')
    assert np.diff(heights).min() >= 2.4 - 1e-9
