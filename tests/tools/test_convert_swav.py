from functools import partial

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

import bm_plugins  # noqa: F401
from bm_plugins.compat.safe_loading import load

pytestmark = pytest.mark.slow


def test_there_and_back(tmp_path, tool):
    convert = partial(tool, 'convert_swav')
    cfg = Config.fromfile('configs/swav_bm.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        weights = MODELS.build(cfg.model).state_dict()
    ours, theirs, again = (tmp_path / f'{n}.pth' for n in range(3))
    torch.save(dict(meta=dict(epoch=3), state_dict=weights), ours)
    status, out, error = convert('configs/swav_mmselfsup_bm.py', ours, theirs)
    assert status == 0, error
    assert f'Wrote {len(weights)} weights' in out
    assert 'head.loss.prototypes.weight' in load(str(theirs))['state_dict']
    status, out, error = convert('configs/swav_bm.py', theirs, again)
    assert status == 0, error
    state = load(str(again))
    assert state['meta'] == dict(converted_from='1.pth')
    assert state['state_dict'].keys() == weights.keys()
    for key, value in weights.items():
        torch.testing.assert_close(
            state['state_dict'][key], value, rtol=0, atol=0
        )
    # A file that is there is not replaced.
    status, out, error = convert('configs/swav_bm.py', theirs, again)
    assert status == 2
    assert error.startswith(f'error: {again} exists')
