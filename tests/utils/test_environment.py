import os
import platform

import torch

from bm_plugins.utils.environment import machine, versions


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
