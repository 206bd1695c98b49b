# Labelled images: balanced and augmented to train on, whole to test.
data_root = '{{$BM_DATA_ROOT:data/matek}}'
fold = '{{$BM_FOLD:none}}'

data_preprocessor = dict(
    type='SyncFreeDataPreprocessor',
    num_classes=21,
    # the authors' code: the collection's (.563, .496, .735) and (.242, .283,
    # .177), in RGB
    mean=[143.565, 126.48, 187.425],
    std=[61.71, 72.165, 45.135],
    to_rgb=True,
)

train_pipeline = [
    dict(type='LoadCellImage'),
    # the authors' code: size and scale
    dict(type='RandomResizedCrop', scale=250, crop_ratio_range=(0.7, 1.0)),
    # the paper: flips on both axes
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackInputs'),
]
# the authors' code: the whole image of 250 px
test_pipeline = [
    dict(type='LoadCellImage'),
    dict(type='Resize', scale=(250, 250), interpolation='area'),
    dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
]

train_dataloader = dict(
    batch_size=64,  # the authors' code: a process
    num_workers=4,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='Matek',
        data_root=data_root,
        fold=fold,
        # the paper's 80 %; nothing is chosen, the last epoch counts
        split=('train', 'val'),
        on_unreadable='stop',
        pipeline=train_pipeline,
    ),
    # the authors' code: 10,000 images of each class an epoch
    sampler=dict(type='ClassBalancedSampler', samples_per_class=10_000),
    batch_sampler=dict(type='DrawBatchSampler', drop_last=True),
)
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
test_cfg = dict()
