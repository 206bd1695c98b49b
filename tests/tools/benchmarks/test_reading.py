import json

from benchmarks.reading import reading


def test_three_ways_to_read(cells, tmp_path):
    result = reading(cells, 40, runs=2, cache_dir=tmp_path)
    result = json.loads(json.dumps(result))
    assert list(result['sides']) == ['ours', 'jpeg cache', 'stock']
    for side in result['sides'].values():
        assert side['images_per_s'] == 40 / side['median_s']
    # 62 images of 64 x 64 x 3 bytes, the index and the header
    assert result['cache_mb']['decoded'] == (62 * (12288 + 48) + 4096) / 1e6
    assert len(list(tmp_path.glob('*.pack'))) == 2
