"""Processes of one run, as real ones."""

import pytest

from bm_plugins.errors import InputError
from bm_plugins.utils.dist import from_first, rank_and_size, wait_for_all


def _wrong():
    raise InputError('wrong')


def _share(folder):
    rank, size = rank_and_size()
    assert size == 2
    assert from_first(lambda: (rank, 'told')) == (0, 'told')
    with pytest.raises(InputError, match='^wrong$'):
        from_first(_wrong)
    wait_for_all()
    (folder / str(rank)).touch()


def test_two_processes(run_ranks, tmp_path):
    run_ranks(_share, 2, tmp_path)
    assert sorted(f.name for f in tmp_path.iterdir()) == ['0', '1']


def test_one_process():
    assert rank_and_size() == (0, 1)
    assert from_first(lambda: 3) == 3
    with pytest.raises(InputError, match='wrong'):
        from_first(_wrong)
    wait_for_all()
