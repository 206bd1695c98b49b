import json
import os

import pytest
from benchmarks.dataset import start_up, worker_memory, write_tree

from bm_plugins.datasets import Matek


def test_the_tree_is_a_collection(tmp_path):
    write_tree(tmp_path, 8000)
    cells = Matek(str(tmp_path), split=('train', 'val', 'test'))
    assert len(cells) == 8000
    # The release's BLA are 11,973 of 171,374.
    assert len(os.listdir(tmp_path / 'BLA')) == 559


@pytest.mark.slow
def test_start_up():
    result = json.loads(json.dumps(start_up(300, runs=1)))
    assert list(result['sides']) == ['ours', 'ours, jpeg cache', 'stock']
    assert result['items'] == 300 and result['ratio'] > 0


@pytest.mark.slow
def test_an_index_of_objects_is_copied_and_ours_is_not():
    result = json.loads(json.dumps(worker_memory(20_000, workers=(0, 2))))
    assert list(result['ours']) == ['0', '2']
    ours, objects = (
        result[name]['2']['private_mb'] for name in ('ours', 'python objects')
    )
    # 20,000 dicts, strings and numbers: some 8 MB, pages around them copied.
    assert ours < 1 < 3 < objects
    assert result['ours']['2']['total_pss_mb'] > 10
