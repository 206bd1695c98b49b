import json
import math

import pytest
from benchmarks.scaling import scaling
from benchmarks.scaling_estimate import estimate

from bm_plugins.errors import InputError


@pytest.mark.slow
def test_one_and_two_processes(cells):
    found = scaling(
        str(cells),
        (1, 2),
        batch_size=4,
        runs=2,
        iterations=1,
        start_method='fork',
    )
    assert json.loads(json.dumps(found)) == found
    assert [row['batch_size'] for row in found['weak']] == [4, 4]
    assert [row['batch_size'] for row in found['strong']] == [4, 2]
    for rows in (found['weak'], found['strong']):
        one, two = rows
        assert one['speedup'] == one['efficiency'] == 1
        ratio = two['images_per_s'] / one['images_per_s']
        assert two['speedup'] == pytest.approx(ratio)
        assert two['efficiency'] == pytest.approx(ratio / 2)
        assert len(two['runs']) == 2 and two['images_per_s'] > 0
    assert found['gpus']['estimate'] is True


@pytest.mark.parametrize('processes,batch', [((2, 4), 8), ((1, 3), 8)])
def test_what_cannot_be_compared(cells, processes, batch):
    with pytest.raises(InputError, match='expected 1 among the processes'):
        scaling(str(cells), processes, batch_size=batch)


def test_bytes_of_resnet50_by_hand():
    found = estimate((4, 64))
    sizes = found['model']
    # torchvision's ResNet-50 less its classifier; projection; prototypes.
    backbone = 25_557_032 - (2048 * 1000 + 1000)
    assert sizes['parameters'] == backbone + (2048 * 128 + 128) + 128_000
    assert (sizes['norm_layers'], sizes['norm_channels']) == (53, 26_560)
    four, many = found['rows']
    assert four['bytes']['gradients'] == 2 * 3 / 4 * 4 * sizes['parameters']
    # two views of 64 x 128 numbers from each of three others
    assert four['bytes']['embeddings'] == 3 * 2 * 64 * 128 * 4
    forth = 3 * (2 * 26_560 + 53) * 4
    back = 2 * 3 / 4 * 2 * 26_560 * 4
    assert four['bytes']['sync_bn'] == forth + back
    assert four['collectives'] == 1 + 2 * 53 + 2
    assert (four['link'], many['link']) == ('NVLink', 'network')
    # (64 * 64 + 1280) x 1000 numbers, 6 passes, 3 rounds, 2 views, 2 TB/s
    assert many['seconds']['assignment'] == pytest.approx(
        5376 * 1000 * 4 * 36 / 2e12
    )


def test_times_follow_from_the_assumptions():
    fast = dict(nvlink=math.inf, network=math.inf, memory=math.inf)
    (row,) = estimate((8,), latency_s=0, compute_s=0.5, **fast)['rows']
    assert row['efficiency'] == dict(worst=1, best=1)
    settings = dict(fast, nvlink=1e9, latency_s=0, compute_s=0.3)
    found = estimate((2,), **settings)
    (row,) = found['rows']
    sizes = found['model']
    gradients = sizes['parameters'] * 4 / 1e9  # 96 ms, behind 200 ms
    rest = row['seconds']['sync_bn'] + row['seconds']['embeddings']
    assert row['seconds']['gradients'] == pytest.approx(gradients)
    assert row['efficiency']['best'] == pytest.approx(0.3 / (0.3 + rest))
    assert row['efficiency']['worst'] == pytest.approx(
        0.3 / (0.3 + rest + gradients)
    )


def test_two_sizes_of_views_double_the_statistics():
    (two,) = estimate((4,), 'swav_mcrop_bm')['rows']
    (one,) = estimate((4,))['rows']
    assert two['bytes']['sync_bn'] == 2 * one['bytes']['sync_bn']
    assert two['bytes']['gradients'] == one['bytes']['gradients']
