# The val part, whole images.
val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='Matek',
        data_root='{{$BM_DATA_ROOT:data/matek}}',
        fold='{{$BM_FOLD:none}}',
        split='val',
        pipeline=[
            dict(type='LoadCellImage'),
            dict(type='Resize', scale=(250, 250), interpolation='area'),
            dict(
                type='PackInputs',
                meta_keys=('path', 'img_path', 'sample_idx'),
            ),
        ],
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='PerClassMetric')
val_cfg = dict()
