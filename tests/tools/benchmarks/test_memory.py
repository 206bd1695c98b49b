import mmap

import numpy as np
import pytest
from benchmarks.memory import peak_mb, process_mb


def test_the_peak_counts_and_not_what_is_left():
    def fill():
        np.ones(40_000_000, np.uint8)

    assert 38 < peak_mb(fill) < 48
    assert peak_mb(lambda: None) < 5


def test_memory_that_was_freed_before_counts_too():
    small = [bytes(1000) for _ in range(30_000)]
    pinned = bytes(1000)  # keeps the heap from shrinking
    del small
    assert 25 < peak_mb(lambda: [bytes(1000) for _ in range(30_000)]) < 45
    assert len(pinned) == 1000


def test_a_failure_is_said():
    with pytest.raises(RuntimeError, match='the measured process failed'):
        peak_mb(lambda: 1 / 0)


def test_of_this_process():
    before = process_mb('Rss', 'Private_Dirty')
    # New pages, where np.ones may take what the heap has kept.
    kept = np.frombuffer(mmap.mmap(-1, 40_000_000), np.uint8)
    kept.fill(1)
    after = process_mb('Rss', 'Private_Dirty', 'Pss')
    for name in before:
        assert 38 < after[name] - before[name] < 48
    # Pages of files count less, the more processes have them.
    assert after['Private_Dirty'] < after['Pss'] <= after['Rss']
    assert kept[0] == 1
