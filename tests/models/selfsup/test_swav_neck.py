import torch
from mmpretrain.models import SwAVNeck

from bm_plugins.models import PooledSwAVNeck


def test_as_upstream_s_on_the_maps_that_were_pooled():
    torch.manual_seed(0)
    upstream = SwAVNeck(16, 0, 8, with_avg_pool=True)
    neck = PooledSwAVNeck(16, 0, 8)
    neck.load_state_dict(upstream.state_dict())
    maps = [torch.randn(4, 16, 7, 7), torch.randn(12, 16, 3, 3)]
    expected = upstream([(each,) for each in maps])
    found = neck([(each.mean((2, 3)),) for each in maps])
    torch.testing.assert_close(found, expected)
