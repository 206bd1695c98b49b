import json
import math

import pytest
import torch
from benchmarks import learning as module
from benchmarks.learning import learning

from bm_plugins.report.runs.run_folder import read_run

SMALL = ['train_dataloader.batch_size=8', 'train_dataloader.num_workers=0']


@pytest.mark.slow
def test_all_sides_train_and_are_tested(cells, tmp_path, monkeypatch, python):
    monkeypatch.setattr('sys.executable', str(python))
    found = learning(str(cells), 1, 2, SMALL, tmp_path)
    print(json.dumps(found, indent=1))
