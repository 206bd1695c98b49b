import os

import torch

from bm_plugins.benchmark.machine import machine


def test_machine():
    found = machine()
    assert found['cores'] == len(os.sched_getaffinity(0))
    assert found['versions']['torch'] == torch.__version__.split('+')[0]
    assert found['memory_gib'] > 0 and found['processor']
