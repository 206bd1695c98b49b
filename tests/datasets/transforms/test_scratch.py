import threading

import numpy as np

from bm_plugins.datasets.transforms.scratch import scratch


def test_same_memory_for_a_name_and_another_for_another():
    first = scratch('a', (4, 5), np.uint8)
    first[:] = 7
    assert (scratch('a', (10, 2), np.uint8) == 7).all()
    assert not np.shares_memory(first, scratch('b', (4, 5), np.uint8))


def test_grows_and_leaves_what_is_in_use():
    small = scratch('grows', (2,), np.float32)
    small[:] = 1
    large = scratch('grows', (300, 3), np.float32)
    assert large.shape == (300, 3) and large.dtype == np.float32
    large[:] = 2
    assert (small == 1).all()


def test_threads_do_not_share():
    mine = scratch('thread', (8,), np.uint8)
    theirs = []
    thread = threading.Thread(
        target=lambda: theirs.append(scratch('thread', (8,), np.uint8))
    )
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, theirs[0])
