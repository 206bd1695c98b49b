import time

import pytest
from benchmarks.timing import alternate, compare


def test_by_turns_after_one_call_each():
    calls = []
    sides = {name: lambda name=name: calls.append(name) for name in 'ab'}
    seconds = alternate(sides, runs=2)
    assert calls == ['a', 'b'] + ['a', 'b'] * 2
    assert {name: len(times) for name, times in seconds.items()} == dict(
        a=2, b=2
    )


def test_ratio_of_the_medians():
    sides = dict(ours=lambda: time.sleep(0.01), stock=lambda: time.sleep(0.05))
    result = compare('sleep', sides, items=10, runs=3)
    ours, stock = (result['sides'][name] for name in ('ours', 'stock'))
    assert result['ratio'] == stock['median_s'] / ours['median_s']
    assert ours['per_item_ms'] == pytest.approx(100 * ours['median_s'])
    assert 0.01 <= ours['median_s'] == sorted(ours['runs_s'])[1]
    assert stock['median_s'] >= 0.05


def test_no_ratio_without_a_stock_side():
    assert 'ratio' not in compare('alone', dict(ours=lambda: None), runs=1)
