from bm_plugins.datasets.matek_classes import CLASSES, SUPPORTS
from bm_plugins.evaluation.functional.class_groups import class_groups


def test_tail_of_the_release_is_what_has_fewer_than_1000_images():
    groups = class_groups(SUPPORTS)
    tail = {c for c, g in zip(CLASSES, groups, strict=True) if g == 2}
    assert tail == {'ABE', 'BAS', 'FGC', 'HAC', 'KSC', 'LYI', 'OTH'}
    assert [(groups == g).sum() for g in range(3)] == [7, 7, 7]


def test_uneven_numbers_ties_and_absent_classes():
    assert class_groups([5, 0, 5, 9, 1]).tolist() == [0, -1, 1, 0, 2]
