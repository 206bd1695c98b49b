import pytest

from bm_plugins.datasets import Matek
from bm_plugins.datasets.class_set import check_classes, did_you_mean
from bm_plugins.datasets.layout import labels_of
from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.errors import InputError


def test_codes_that_can_be_used():
    assert check_classes(CLASSES) == CLASSES
    codes = ['Small Lymph', '1', '2.5', 'cat', "Down's", 'α-β', 'A_B', '=x']
    assert check_classes(codes) == tuple(codes)
    assert check_classes([1, '2']) == ('1', '2')  # as --cfg-options has it
    assert check_classes(['e\u0301']) == ('\xe9',)


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        ('NGS', 'expected a list'),
        ([], 'expected a list'),
        (['NGS', 'NGS'], "'NGS' is there twice"),
        (['\xe9', 'e\u0301'], 'is there twice'),
        (['NGS', 'Ngs'], "'Ngs' differs from NGS by its case alone"),
        (['A', ''], "'' is empty"),
        (['A', ' B'], "' B' is empty, or begins"),
        (['A', '.b'], 'begins with a dot'),
        *(([f'A{x}B'], 'holds one of') for x in ',;|/\\"\t\n\0\xa0\u2028'),
    ],
)
def test_codes_that_cannot(classes, message):
    with pytest.raises(InputError, match=message):
        check_classes(classes)


def test_matek_and_the_paths_give_the_same_answer(cells):
    twice = dict(classes=('BLA', 'BLA'))
    with pytest.raises(InputError, match="'BLA' is there twice"):
        Matek(str(cells), metainfo=twice, pipeline=[])
    with pytest.raises(InputError, match="'BLA' is there twice"):
        labels_of(['BLA/1.jpg'], ['BLA', 'BLA'])


def test_the_nearest_name():
    names = ['BLA', 'platelet', 'Small Lymph', '0001-1000']
    assert did_you_mean('PLATELT', names) == ' (did you mean platelet?)'
    assert did_you_mean('bla', names) == ' (did you mean BLA?)'
    assert did_you_mean('Small_Lymph', names) == ' (did you mean Small Lymph?)'
    assert did_you_mean('XYZ', names) == ''
