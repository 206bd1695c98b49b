from collections import Counter
from unicodedata import normalize

import numpy as np
import pytest

from bm_plugins.datasets.splits.stratified_split import (
    split_around,
    stratified_split,
)
from bm_plugins.errors import InputError


def collection(**counts):
    paths, labels = [], []
    for code, count in counts.items():
        paths += [f'{code}/{code}_{i:05}.jpg' for i in range(1, count + 1)]
        labels += [code] * count
    return paths, labels


def counts_of(split, labels, part):
    chosen = zip(split, labels, strict=True)
    return Counter(label for s, label in chosen if s == part)


def test_test_supports_of_the_paper():
    paths, labels = collection(ABE=8, KSC=42, FGC=47, LYI=65, PLM=7629)
    split, _ = stratified_split(paths, labels)
    assert counts_of(split, labels, 'test') == dict(
        ABE=2, KSC=9, FGC=10, LYI=13, PLM=1526
    )
    assert counts_of(split, labels, 'val') == dict(
        ABE=1, KSC=4, FGC=5, LYI=6, PLM=763
    )


def test_folds_are_stratified_and_fold_0_is_the_test_part():
    paths, labels = collection(ABE=8, LYI=65, MON=100)
    split, folds = stratified_split(paths, labels)
    by_class = {
        code: Counter(
            f for f, label in zip(folds, labels, strict=True) if label == code
        )
        for code in ('ABE', 'LYI', 'MON')
    }
    assert by_class['ABE'] == {0: 2, 1: 2, 2: 2, 3: 1, 4: 1}
    assert by_class['LYI'] == dict.fromkeys(range(5), 13)
    assert by_class['MON'] == dict.fromkeys(range(5), 20)
    assert [f == 0 for f in folds] == [s == 'test' for s in split]


@pytest.mark.parametrize('n', range(1, 12))
def test_small_classes_always_train(n):
    paths, labels = collection(ABE=n)
    for fraction in (0.0, 0.2, 0.5, 0.9):
        split, folds = stratified_split(
            paths, labels, test_fraction=fraction, val_fraction=0.09
        )
        assert split.count('train') >= 1
        if n == 1:
            assert split == ['train'] and folds == [None]
        elif fraction:
            assert split.count('test') >= 1


def test_order_of_the_files_does_not_matter():
    paths, labels = collection(ABE=8, LYI=65)
    split, folds = stratified_split(paths, labels)
    backwards = stratified_split(paths[::-1], labels[::-1])
    assert backwards == (split[::-1], folds[::-1])


def test_seed_matters():
    paths, labels = collection(LYI=65)
    first, _ = stratified_split(paths, labels, seed=0)
    second, _ = stratified_split(paths, labels, seed=1)
    assert first != second


def test_the_split_is_pinned():
    # Everyone's fold 0 is the same; a change would not be comparable.
    paths, labels = collection(ABE=8)
    split, folds = stratified_split(paths, labels)
    names = [p[-5] for p, s in zip(paths, split, strict=True) if s == 'test']
    assert names == ['1', '4']


@pytest.mark.parametrize(
    'arguments,message',
    [
        (dict(test_fraction=1.0), '--test-fraction'),
        (dict(test_fraction=0.6, val_fraction=0.4), '--val-fraction'),
        (dict(val_fraction=-0.1), '--val-fraction'),
        (dict(folds=1), '--folds 1'),
    ],
)
def test_impossible_wishes(arguments, message):
    with pytest.raises(InputError, match=message):
        stratified_split(*collection(ABE=8), **arguments)


def test_contiguous_blocks_by_file_number():
    paths, labels = collection(BLA=30, LYT=10)
    order = np.random.default_rng(0).permutation(40)
    paths = [paths[i] for i in order]  # whatever the order of the rows
    labels = [labels[i] for i in order]
    split, folds = stratified_split(paths, labels, contiguous=True)
    fold_of = dict(zip(paths, folds, strict=True))
    part_of = dict(zip(paths, split, strict=True))
    for code, count in (('BLA', 30), ('LYT', 10)):
        in_order = [f'{code}/{code}_{i:05}.jpg' for i in range(1, count + 1)]
        expected = [i * 5 // count for i in range(count)]
        assert [fold_of[path] for path in in_order] == expected
        tests = [part_of[path] == 'test' for path in in_order]
        assert tests == [i < count // 5 for i in range(count)]
        assert [part_of[path] for path in in_order].count('val') == count // 10


def test_groups_stay_together():
    paths, labels = collection(BLA=40, LYT=40)
    groups = {path: f'g{i // 3}' for i, path in enumerate(paths[:30])}
    groups[paths[0]] = groups[paths[50]] = 'across classes'
    split, folds = stratified_split(paths, labels, groups=groups)
    for group in set(groups.values()):
        rows = [i for i, path in enumerate(paths) if groups.get(path) == group]
        assert len({split[row] for row in rows}) == 1
        assert len({folds[row] for row in rows}) == 1
    assert 14 <= split.count('test') <= 20
    assert 6 <= split.count('val') <= 12
    sizes = Counter(folds)
    assert sorted(sizes) == [0, 1, 2, 3, 4] and min(sizes.values()) >= 12
    alone = {path: path for path in paths}
    assert stratified_split(paths, labels, groups=alone) == stratified_split(
        paths, labels
    )


def test_a_class_of_one_group_trains():
    paths, labels = collection(BLA=4)
    split, folds = stratified_split(
        paths, labels, groups=dict.fromkeys(paths, 'g')
    )
    assert split == ['train'] * 4 and folds == [None] * 4


def test_decomposed_accents_give_the_same_split():
    names = [f'A/{letter}{i}.jpg' for letter in 'äé' for i in range(20)]
    forms = [[normalize(f, n) for n in names] for f in ('NFC', 'NFD')]
    one, two = (stratified_split(paths, ['A'] * 40) for paths in forms)
    assert one == two and forms[0] != forms[1]


def test_what_tests_is_given():
    paths, labels = collection(BLA=40, LYT=20)
    tests = {f'BLA/BLA_{i:05}.jpg': 'test' for i in (3, 5, 39)}
    split, folds = split_around(paths, labels, tests)
    found = {p for p, s in zip(paths, split, strict=True) if s == 'test'}
    assert found == {*tests}
    assert counts_of(split, labels, 'val') == dict(BLA=4, LYT=2)
    assert folds == [None] * 60
    given = tests | {'LYT/LYT_00002.jpg': 'val'}
    split, _ = split_around(paths, labels, given)
    assert counts_of(split, labels, 'val') == dict(LYT=1)  # none is drawn
    with pytest.raises(InputError, match='--val-fraction 0.96 of all 60.*57'):
        split_around(paths, labels, tests, val_fraction=0.96)
