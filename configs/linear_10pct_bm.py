# linear_bm.py with the labels of 10 % of each class's training images.
#   python tools/test.py configs/linear_10pct_bm.py PRETRAINED.pth
_base_ = 'linear_bm.py'

test_cfg = dict(train_dataloader=dict(dataset=dict(fraction=0.1)))
