# linear_lite_bm.py on the Barcelona blood cells, of 128 px.
#   BM_DATA_ROOT=data/pbc python tools/test.py configs/linear_lite_pbc.py
_base_ = ['linear_lite_bm.py', '_base_/datasets/pbc_classes.py']

test_pipeline = [
    dict(type='LoadCellImage'),
    dict(type='Resize', scale=(128, 128), interpolation='area'),
    dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_cfg = dict(train_dataloader=dict(dataset=dict(pipeline=test_pipeline)))
# its list of neighbours is of the marrow classes
test_evaluator = dict(neighbours=None)
