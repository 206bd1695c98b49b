import subprocess
import sys

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

import bm_plugins  # noqa: F401
from bm_plugins.compat.safe_loading import load


def convert(*args):
    command = [sys.executable, 'tools/convert_swav.py', *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


def test_there_and_back(tmp_path):
    cfg = Config.fromfile('configs/swav_bm.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        weights = MODELS.build(cfg.model).state_dict()
    ours, theirs, again = (tmp_path / f'{n}.pth' for n in range(3))
    torch.save(dict(meta=dict(epoch=3), state_dict=weights), ours)
    result = convert('configs/swav_mmselfsup_bm.py', ours, theirs)
    assert result.returncode == 0, result.stderr
    assert f'Wrote {len(weights)} weights' in result.stdout
    assert 'head.loss.prototypes.weight' in load(str(theirs))['state_dict']
    result = convert('configs/swav_bm.py', theirs, again)
    assert result.returncode == 0, result.stderr
    state = load(str(again))
    assert state['meta'] == dict(converted_from='1.pth')
    assert state['state_dict'].keys() == weights.keys()
    for key, value in weights.items():
        torch.testing.assert_close(
            state['state_dict'][key], value, rtol=0, atol=0
        )
    # A file that is there is not replaced.
    result = convert('configs/swav_bm.py', theirs, again)
    assert result.returncode == 2
    assert result.stderr.startswith(f'error: {again} exists')
