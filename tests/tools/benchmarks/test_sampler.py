import json

import numpy as np
import pytest
from benchmarks.sampler import Labels, sampler

from bm_plugins.datasets.matek_classes import SUPPORTS


def test_labels_in_the_release_s_shares():
    whole = Labels(sum(SUPPORTS))
    assert np.bincount(whole.get_gt_labels()).tolist() == list(SUPPORTS)
    assert len(Labels(1000)) == 1000
    counts = np.bincount(Labels(10_000).labels, minlength=21)
    expected = 10_000 * np.array(SUPPORTS) / sum(SUPPORTS)
    assert np.abs(counts - expected).max() <= 1


@pytest.mark.slow
def test_times_and_memory():
    result = json.loads(json.dumps(sampler(200_000, runs=2)))
    assert result['items'] == 200_000 and result['ratio'] > 0
    sides = result['sides']
    assert list(sides) == ['ours', 'stock', 'DefaultSampler, not balanced']
    assert all(len(side['runs_s']) == 2 for side in sides.values())
    # 200,000 numbers of Python's take 8 MB and more; ours never has them all.
    default = sides['DefaultSampler, not balanced']['peak_mb']
    assert sides['ours']['peak_mb'] < default < 100
