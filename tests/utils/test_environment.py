import os
import platform

import pytest
import torch

from bm_plugins.errors import InputError
from bm_plugins.utils.environment import machine, need_packages, versions


def test_machine():
    found = machine()
    assert found['cores'] == len(os.sched_getaffinity(0))
    assert found['versions']['torch'] == torch.__version__.split('+')[0]
    assert found['memory_gib'] > 0 and found['processor']
    assert found['python'] == platform.python_version()
    assert found['gpus'] == torch.cuda.device_count()


def test_packages_that_are_missing_are_left_out():
    assert versions(['torch', 'no-such-package']) == {
        'torch': torch.__version__.split('+')[0]
    }


def test_missing_ones_are_named():
    need_packages('this test', 'pytest', 'torch')
    with pytest.raises(InputError) as caught:
        need_packages('a heat map', 'torch', 'no_such_a', 'no_such_b')
    assert str(caught.value) == (
        'a heat map needs packages that are not installed: '
        'pip install no_such_a no_such_b'
    )
