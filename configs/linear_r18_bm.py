# linear_bm.py for the backbone of swav_r18_bm.py.
#   python tools/test.py configs/linear_r18_bm.py PRETRAINED.pth
_base_ = 'linear_bm.py'

model = dict(backbone=dict(depth=18), head=dict(in_channels=512))
