# Linear evaluation on another collection, the Barcelona blood cells, of any
# checkpoint with the backbone of swav_tiny_bm.py: of a pretraining there
# (swav_tiny_pbc.py), or on marrow.
#   BM_DATA_ROOT=data/pbc python tools/test.py configs/linear_tiny_pbc.py \
#       work_dirs/swav_tiny_bm/epoch_120.pth
_base_ = ['linear_tiny_bm.py', '_base_/datasets/pbc_classes.py']

# its list of neighbours is of the marrow classes
test_evaluator = dict(neighbours=None)
