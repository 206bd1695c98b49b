# Whole images without augmentation, train and test, for linear evaluation.
data_root = '{{$BM_DATA_ROOT:data/matek}}'
fold = '{{$BM_FOLD:none}}'

data_preprocessor = dict(
    type='SyncFreeDataPreprocessor',
    num_classes=21,
    # ImageNet's, in RGB
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)

test_pipeline = [
    dict(type='LoadCellImage'),
    dict(type='Resize', scale=(224, 224), interpolation='area'),
    dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
]

test_dataloader = dict(
    batch_size=64,
    num_workers=4,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='Matek',
        data_root=data_root,
        fold=fold,
        split='test',
        pipeline=test_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_evaluator = dict(type='PerClassMetric')
test_cfg = dict(
    type='LinearProbeLoop',
    # each class counts alike in the loss; None: each image, the natural prior
    class_weight='balanced',
    # the newest five runs' features; None keeps none
    cache_dir='{{$BM_FEATURES:work_dirs/features}}',
    train_dataloader=dict(
        batch_size=64,
        num_workers=4,
        collate_fn=dict(type='default_collate'),
        dataset=dict(
            type='Matek',
            data_root=data_root,
            fold=fold,
            # the paper's 80 %
            split=('train', 'val'),
            pipeline=test_pipeline,
        ),
        sampler=dict(type='DefaultSampler', shuffle=False),
    ),
)
