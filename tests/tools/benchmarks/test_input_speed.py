import pytest
from benchmarks.input_speed import input_speed

pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings('ignore:Only use')
def test_both_settings_beside_stock_and_limits(cells):
    result = input_speed(str(cells), images=6, runs=1, profile=True)
    assert {*result} == {'swav', 'paper'}
    for setting in result.values():
        sides = {name: s['median_s'] for name, s in setting['sides'].items()}
        assert {*sides} == {
            'ours',
            'stock',
            'ours, decoded cache',
            'decode only',
        }
        assert setting['items'] == 6
        assert setting['ratio'] == sides['stock'] / sides['ours']
        assert len(setting['profile']) == 10
        limit = sides['stock'] / sides['decode only']
        assert setting['ratio_decode_only'] == limit
