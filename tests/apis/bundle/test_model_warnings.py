"""Warnings of weak models."""

import numpy as np
import pytest

from bm_plugins.apis.bundle.bundle import Validation
from bm_plugins.apis.bundle.model_warnings import (
    field_warnings,
    model_warnings,
)
from tests.apis.tiny_bundle import tiny_bundle


def of(right, counts, **more):
    """Warnings of a model with ``right`` of 20 calibration images."""
    labels = np.zeros(20, int)
    logits = np.zeros((20, 3))
    logits[np.arange(20), [0] * right + [1] * (20 - right)] = 1
    held = Validation(logits, labels, np.zeros(20))
    info = dict(counts=counts, **more)
    return model_warnings(tiny_bundle(validation=held, info=info))


def test_a_good_model_that_knows_its_classes():
    assert of(15, dict(BLA=[10, 5, 5], LYT=[99, 5, 5], NGS=[10, 0, 0])) == []
    assert of(15, {}) == []  # where nothing is said of training


def test_a_weak_one():
    (text,) = of(14, {})
    # Wilson's interval of 14 in 20.
    assert 'right in 70.0 % [48.1, 85.5] of its 20 calibration' in text


def test_classes_that_it_hardly_knows():
    (text,) = of(20, dict(BLA=[9, 5, 5], LYT=[99, 5, 5], NGS=[0, 0, 0]))
    assert 'fewer than 10 cells of BLA, NGS, and' in text


def test_one_that_hardly_knows_any():
    assert of(20, dict(BLA=[9, 5, 5], LYT=[1, 5, 5], NGS=[0, 0, 0])) == [
        'The model has learned from fewer than 10 cells of each class: its '
        'classes and percentages mean little.'
    ]


def test_one_of_synthetic_cells():
    assert of(20, {}, synthetic='Of synthetic cells.') == [
        'Of synthetic cells.'
    ]
    assert of(20, {}, synthetic='') == []


def fields(scale, *args):
    """Warnings of a model trained on images of this scale."""
    info = {} if scale is None else dict(scale=scale)
    return field_warnings(tiny_bundle(info=info), *args)


TRAINED = dict(width=250, height=250, um_per_px=None, share=1.0)


@pytest.mark.parametrize(
    ('um_per_px', 'advice'),
    [(0.1, 'give their µm per pixel'), (None, 'publish.py --um-per-px')],
)
def test_images_of_another_field(um_per_px, advice):
    trained = TRAINED | dict(um_per_px=um_per_px)
    found = {'': 30, 'wide': 1, 'narrow': 2, 'size': 23, 'shape': 4}
    size, shape, narrow, wide = fields(trained, found)
    assert '23 of 60 cells (38.3 %)' in size and '--um-per-px same' in size
    assert '(250 x 250 px)' in size and advice in size
    assert shape.startswith('4 of 60 cells (6.7 %) are of another shape')
    assert narrow.startswith('2 of 60 cells (3.3 %) show less around')
    assert wide.startswith('1 of 60 cells (1.7 %) show more around the cell')
    assert fields(trained, {'': 5, 'wide': 3}, 0.1) == []
    (part,) = fields(trained, {'': 5, 'wide': 1, 'part': 2}, 1.0)
    assert part.startswith('2 of 8 cells (25.0 %) were cropped to less than')


def test_what_is_not_known_of_the_field():
    (old,) = fields(None, {'': 5})
    assert 'does not say the scale of its training images' in old
    assert fields(None, {'': 5}, 'same') == []
    (table,) = fields(TRAINED, {None: 5})
    assert 'An earlier version made these predictions' in table
