import pytest

from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.datasets.synthetic.cells import PAINTERS
from bm_plugins.datasets.synthetic.looks import BESIDE, LOBES, LOOKS


def test_every_class_has_a_look():
    assert tuple(LOOKS) == CLASSES
    assert set(BESIDE) < set(CLASSES)


@pytest.mark.parametrize('code', CLASSES)
def test_ranges_are_ordered_and_the_nucleus_fits_its_cell(code):
    look = LOOKS[code]
    for low, high in (look.diameter, look.nuclear_ratio, look.indent):
        assert low <= high
    assert look.nuclear_ratio[0] > 0 and look.nuclear_ratio[1] < 1
    assert look.diameter[1] < 250
    assert look.nucleus in {'blob', 'folded', *LOBES, *PAINTERS}


def test_no_two_classes_look_the_same():
    looks = list(LOOKS.values())
    assert all(looks.count(look) == 1 for look in looks)
