"""Which part each image is in."""

import pytest

from bm_plugins.datasets.splits.parts_of_fold import (
    folder_parts,
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


def test_a_manifest_without_folds():
    message = 'no folds.*Unset BM_FOLD.*--ignore-folders'
    with pytest.raises(InputError, match=message):
        parts_of(['train', 'test'], [None, None], 0, 'split.csv')


@pytest.mark.parametrize(
    ('paths', 'expected'),
    [
        (['train/A/1', 'test/A/2'], ['train', 'test']),
        (['Train/A/1', 'TEST/A/2', 'Val/B/3'], ['train', 'test', 'val']),
        (['A/train/1', 'A/test/2'], ['train', 'test']),
        (['x/training/A/1', 'x/testing/A/2'], ['train', 'test']),
        (['train/1', 'test/2', 'valid/3', 'validation/4'], None),
        (['train_set/A/1', 'Test Set/A/2'], ['train', 'test']),
        (['trainset/A/1', 'test-images/A/2'], ['train', 'test']),
        (['1_TrainingData/A/1', '2_test /A/2'], ['train', 'test']),
        (['A/1', 'B/2'], []),
        (['train/A/1', 'train/B/2'], []),  # all of them: no protocol
        (['trains/A/1', 'tested/A/2', 'A/test.jpg'], []),
    ],
)
def test_parts_that_folders_name(paths, expected):
    if expected is None:
        expected = ['train', 'test', 'val', 'val']
    found = dict(zip(paths, expected, strict=True)) if expected else {}
    assert folder_parts(paths, ['A', 'B']) == found


def test_a_class_that_is_called_as_a_part():
    paths = ['test/1', 'train/2', 'val/3']
    assert folder_parts(paths, ['test', 'Train', 'VAL']) == {}
    paths = ['train/test/1', 'train/A/2', 'val/test/3']
    with pytest.raises(InputError, match='name the parts train, val; expect'):
        folder_parts(paths, ['test', 'A'])


@pytest.mark.parametrize(
    ('paths', 'message'),
    [
        (['train/A/1', 'test/A/2', 'A/3'], '1 of 3 .*the first: A/3'),
        (['train/A/1', 'Test-A/A/2'], '1 of 2 .*the first: Test-A/A/2'),
        (['train/A/1', 'test/A/2', 'train/test/3'], 'first: train/test/3'),
        (['train/A/1', 'val/A/2'], 'parts train, val; expected train and te'),
        (['test/A/1'], 'parts test; expected train and test'),
    ],
)
def test_folders_that_leave_a_choice(paths, message):
    with pytest.raises(InputError, match=f'{message}.*--ignore-folders'):
        folder_parts(paths, ['A'])


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
