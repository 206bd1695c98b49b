# Two random views of each image, without labels: the paper's equation 5.
data_root = '{{$BM_DATA_ROOT:data/matek}}'
fold = '{{$BM_FOLD:none}}'

data_preprocessor = dict(
    type='SyncFreeViewsPreprocessor',
    # ImageNet's, in RGB
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)

train_pipeline = [
    dict(type='LoadCellImage'),
    dict(
        type='MultiCropViews',
        # size and scale: facebookresearch/swav, two views of 224 px
        views=[dict(num=2, size=224, scale=(0.14, 1.0))],
        # strengths: ours; the paper gives none
        hue=18,
        saturation=0.3,
        value=0.3,
    ),
    dict(type='PackViews'),
]

train_dataloader = dict(
    batch_size=64,  # the paper: 256 on 4 GPUs
    num_workers=4,
    persistent_workers=True,
    collate_fn=dict(type='collate_views'),
    dataset=dict(
        type='Matek',
        data_root=data_root,
        fold=fold,
        # all that is not test; no label is read
        split=('train', 'val'),
        with_label=False,
        # 'skip' takes the next image for one that cannot be read, and counts
        on_unreadable='stop',
        pipeline=train_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
    # each view is a function of (seed, epoch, position, view)
    batch_sampler=dict(type='DrawBatchSampler', drop_last=True),
)
