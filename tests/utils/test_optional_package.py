"""Optional packages."""

import pytest

from bm_plugins.errors import InputError
from bm_plugins.utils.optional_package import need_packages


def test_missing_ones_are_named():
    need_packages('this test', 'pytest', 'torch')
    with pytest.raises(InputError) as caught:
        need_packages('a heat map', 'torch', 'no_such_a', 'no_such_b')
    assert str(caught.value) == (
        'a heat map needs packages that are not installed: '
        'pip install no_such_a no_such_b'
    )
