import json

import pytest
from benchmarks.step import GPU_VIEWS, _summary, step

from bm_plugins.errors import InputError

SMALL = {'train_dataloader.batch_size': 6}


@pytest.mark.slow
@pytest.mark.parametrize(
    'name,workers',
    [
        ('swav_tiny_bm', 1),
        ('resnet_tiny_mixup_bm', 0),
        ('supcon_tiny_bm', 0),
    ],
)
def test_all_sides_train(cells, name, workers):
    options = SMALL | {'default_hooks.logger.interval': 4}
    if name == 'swav_tiny_bm':
        options['model.head.loss.queue_length'] = 12
    variants = {'ours': {}, 'half': {'channels_last': True}}
    if name == 'resnet_tiny_mixup_bm':
        variants['no views'] = GPU_VIEWS
    found = step(
        str(cells),
        [name],
        runs=1,
        iterations=2,
        workers=workers,
        variants=variants,
        options=options,
        top=2,
    )
    assert json.loads(json.dumps(found)) == found
    assert (found['workers'], found['steps']) == (workers, 2)
    result = found['configs'][name]
    assert result['batch_size'] == 6
    sides = result['sides']
    assert set(sides) == {
        'ours',
        'ours, compute only',
        'half',
        'half, compute only',
        'stock',
    }
    for side in sides.values():
        assert side['images_per_s'] > 0 and side['peak_mib'] > 0
    ours, stock = (sides[name]['images_per_s'] for name in ('ours', 'stock'))
    assert result['ratio'] == pytest.approx(ours / stock)
    assert len(result['top']) == 2
    assert 0 < result['top'][1]['share'] <= result['top'][0]['share'] < 1


def test_figures_by_hand():
    turns = {
        name: [dict(images_per_s=s, peak_mib=s / 10) for s in speeds]
        for name, speeds in {
            'ours': [100, 300, 200],
            'ours, compute only': [400, 200, 250],
            'fast': [500, 500, 100],
            'fast, compute only': [1000, 1000, 1000],
            'stock': [50, 40, 45],
        }.items()
    }
    found = _summary(turns, ['ours', 'fast'])
    assert found['ratio'] == 200 / 45 and found['best_ratio'] == 500 / 45
    assert found['share_of_compute'] == {'ours': 0.8, 'fast': 0.5}
    assert found['sides']['stock'] == dict(
        images_per_s=45, runs=[50, 40, 45], peak_mib=5
    )


def test_configs_that_are_not_there(cells):
    with pytest.raises(InputError, match='byol_bm: no byol_bm.py in configs'):
        step(str(cells), ['byol_bm'])
