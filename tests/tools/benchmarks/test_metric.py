import json

import pytest
from benchmarks.metric import _batches, metric


def test_samples_are_those_of_a_test():
    batches = list(_batches(150))
    assert [len(batch) for batch in batches] == [64, 64, 22]
    samples = [sample for batch in batches for sample in batch]
    assert [s['sample_idx'] for s in samples] == list(range(150))
    assert all(abs(float(s['pred_score'].sum()) - 1) < 1e-5 for s in samples)
    right = sum(
        int(s['pred_score'].argmax() == s['gt_label']) for s in samples
    )
    assert 50 < right < 150


@pytest.mark.slow
def test_times_and_memory():
    result = json.loads(json.dumps(metric(300, runs=1)))
    assert result['items'] == 300 and result['ratio'] > 0
    sides = result['sides']
    assert list(sides) == [
        *('ours', 'ours with files', 'stock', 'batches alone')
    ]
    assert all(side['peak_mb'] >= 0 for side in sides.values())
    assert sides['batches alone']['median_s'] < sides['ours']['median_s']
