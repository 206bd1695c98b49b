"""Which part each image is in."""

import pytest

from bm_plugins.datasets.parts import (
    parse_fold,
    parse_split,
    parts_of,
    rows_of,
)
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


def test_parts_to_load():
    assert parse_split('val', 1, True) == ('val',)
    assert parse_split(['test', 'train'], 0.5, True) == ('test', 'train')
    with pytest.raises(InputError, match=r"split=\['dev'\]: expected train"):
        parse_split(('dev', 'val'), 1, True)
    with pytest.raises(InputError, match='fraction=0.5: .* and labels'):
        parse_split('val', 0.5, False)


def test_rows_of_parts_and_of_a_share():
    parts = ['train', 'val', 'test', 'train', 'train', 'train']
    paths, labels = list('abcdef'), list('xxxxxy')
    assert rows_of(parts, ('train',), paths, labels) == [0, 3, 4, 5]
    assert rows_of(parts, ('test', 'val'), paths, labels) == [1, 2]
    # One of x's three and y's only one.
    some = rows_of(parts, ('train',), paths, labels, 0.3)
    assert len(some) == 2 and some[0] in (0, 3, 4) and some[1] == 5
