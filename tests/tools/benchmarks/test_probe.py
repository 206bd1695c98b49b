import json

import pytest
import torch
from benchmarks import probe as module
from benchmarks.probe import probe
from mmengine.config import Config

pytestmark = pytest.mark.slow

TINY = Config.fromfile('configs/linear_tiny_bm.py').model.backbone.to_dict()


@pytest.fixture
def passes(monkeypatch):
    """Modes of the backbones, and how many images each handled."""
    seen = []
    build = module._classifier

    def watched(*args):
        model = build(*args)
        model.backbone.register_forward_hook(
            lambda part, inputs, _: seen.append((model, len(inputs[0])))
        )
        return model

    monkeypatch.setattr(module, '_classifier', watched)
    return seen


def test_one_pass_against_epochs_of_the_classifier_alone(cells, passes):
    torch.manual_seed(0)
    result = probe(
        str(cells),
        runs=1,
        images=40,
        backbone=TINY,
        length=128,
        size=48,
        batch_size=16,
        workers=0,
    )
    json.dumps(result)
    sides = result['sides']
    assert [*sides] == ['ours', 'stock', 'one pass', 'from cache']
    assert result['items'] == 40 and result['epochs'] == 100
    assert result['extrapolated_from_epochs'] == 2
    stock, ours = sides['stock'], sides['ours']
    assert stock['runs_s'] == [50 * stock['measured_s'][0]]
    assert stock['median_s'] == stock['runs_s'][0]
    assert stock['per_item_ms'] == pytest.approx(stock['median_s'] * 25)
    assert result['ratio'] == pytest.approx(
        stock['median_s'] / ours['median_s']
    )
    assert 1 < result['cost_in_forward_passes'] < 1000
    models = list(dict.fromkeys(model for model, _ in passes))
    images = [sum(n for m, n in passes if m is model) for model in models]
    # into the cache, ours and the limit; two epochs
    assert images == [3 * 40, 2 * 40]
    before, after = (
        {k: v.clone() for k, v in model.state_dict().items()}
        for model in models
    )
    changed = {k for k in before if not torch.equal(before[k], after[k])}
    assert changed == {'head.fc.weight', 'head.fc.bias'}
