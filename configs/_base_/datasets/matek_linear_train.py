# Augmented images to train a linear classifier on.
train_pipeline = [
    dict(type='LoadCellImage'),
    # the SwAV paper's: a random crop and a flip; here on both axes
    dict(type='RandomResizedCrop', scale=224),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='Matek',
        data_root='{{$BM_DATA_ROOT:data/matek}}',
        fold='{{$BM_FOLD:none}}',
        # the paper's 80 %
        split=('train', 'val'),
        pipeline=train_pipeline,
    ),
    # Each class as often as the others, in an epoch about as long as the
    # training part; each image once, the natural prior, by --cfg-options
    # train_dataloader.sampler.type=DefaultSampler
    sampler=dict(type='ClassBalancedSampler'),
    batch_sampler=dict(type='DrawBatchSampler', drop_last=True),
)
