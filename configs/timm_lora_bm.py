# Fine-tuning of any timm transformer by LoRA (Hu et al. 2021), balanced
# sampling, layer-wise learning-rate decay. BM_TIMM, BM_TIMM_SIZE and the
# weights are as for linear_timm_bm.py.
#   export BM_TIMM=vit_small_patch16_224
#   tools/dist_train.sh configs/timm_lora_bm.py 4 \
#       --cfg-options load_from=WEIGHTS.safetensors
#   python tools/test.py configs/timm_lora_bm.py CHECKPOINT
# The last two blocks instead of LoRA:
#   ... --cfg-options model.backbone.unfreeze_blocks=2
# Each image once an epoch, and a loss that allows for the classes' shares:
#   ... --cfg-options model.head.loss.type=LogitAdjustedLoss \
#       train_dataloader.sampler.type=DefaultSampler
# The values are a start, not measured.
_base_ = ['linear_timm_bm.py', '_base_/datasets/matek_linear_train.py']

size = _base_.size

model = dict(
    backbone=dict(type='TunedTimmEncoder', lora_rank=8, lora_alpha=16),
    head=dict(loss=dict(type='CrossEntropyLoss')),
)
load_from = f'checkpoints/{_base_.name}.safetensors'

train_pipeline = [
    dict(type='LoadCellImage'),
    dict(
        type='RandomResizedCrop',
        scale=size,
        crop_ratio_range=(0.7, 1.0),
        # as the test's
        interpolation='area' if size <= 250 else 'bicubic',
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_cfg = dict(_delete_=True)

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=1.0),
    # mmpretrain's: the classifier's rate is lr, a block's that of the next
    # times layer_decay_rate
    constructor='LearningRateDecayOptimWrapperConstructor',
    paramwise_cfg=dict(
        layer_decay_rate=0.9, bias_decay_mult=0.0, norm_decay_mult=0.0
    ),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        by_epoch=True,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=0,
        by_epoch=True,
        begin=1,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=20)
# the lr is for this batch over all GPUs; --auto-scale-lr fits it to yours
auto_scale_lr = dict(base_batch_size=256)
