"""Loss scales of checkpoints of another precision."""

import torch

from bm_plugins.engine.optimizers.mixed_precision import MixedPrecision


def test_float16_goes_on_from_bfloat16():
    weight = torch.nn.Parameter(torch.ones(1, device='cuda'))
    half, brain = (
        MixedPrecision(dtype=d, optimizer=torch.optim.SGD([weight], lr=0.1))
        for d in ('float16', 'bfloat16')
    )
    scale = half.loss_scaler.get_scale()
    half.load_state_dict(brain.state_dict())
    assert half.loss_scaler.get_scale() == scale > 1
    brain.load_state_dict(half.state_dict())
    assert brain.loss_scaler.get_scale() == 1
