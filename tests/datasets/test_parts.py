"""Which part each image is in."""

import pytest

from bm_plugins.datasets.parts import parse_fold, parts_of
from bm_plugins.errors import InputError

SPLITS = ['train', 'val', 'test', 'test', 'train']
FOLDS = [0, 1, 0, 1, None]


def test_folds_of_configs_and_the_environment():
    assert [parse_fold(f) for f in (None, '', 'none')] == [None] * 3
    assert [parse_fold(f) for f in (0, '3')] == [0, 3]
    with pytest.raises(InputError, match="fold 'two' is no number"):
        parse_fold('two')


def test_without_a_fold_the_split_counts():
    assert parts_of(SPLITS, FOLDS, None, 'split.csv') == SPLITS


def test_a_fold_tests_and_the_others_train():
    assert parts_of(SPLITS, FOLDS, 0, 'split.csv') == [
        *('test', 'val', 'test', 'train', 'train')
    ]
    # A val image of the fold tests too; one without a fold never does.
    assert parts_of(SPLITS, FOLDS, 1, 'split.csv') == [
        *('train', 'test', 'train', 'test', 'train')
    ]


def test_no_such_fold():
    with pytest.raises(InputError, match=r'split.csv: no fold 2 .*\[0, 1\]'):
        parts_of(SPLITS, FOLDS, 2, 'split.csv')
    with pytest.raises(InputError, match='it has no folds'):
        parts_of(['train'], [None], 0, 'split.csv')
