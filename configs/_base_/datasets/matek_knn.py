# k-NN validation while pretraining: labels of the val part, which is trained
# on without them, and of the training part. The test part stays unseen.
knn_pipeline = [
    dict(type='LoadCellImage'),
    dict(type='Resize', scale=(224, 224), interpolation='area'),
    dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
]

val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='Matek',
        data_root='{{$BM_DATA_ROOT:data/matek}}',
        fold='{{$BM_FOLD:none}}',
        split='val',
        pipeline=knn_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='PerClassMetric')
val_cfg = dict(
    type='KNNLoop',
    # images of each class to compare with
    per_class=1000,
    # Wu et al. 2018
    k=20,
    temperature=0.07,
    train_dataloader=dict(
        batch_size=64,
        num_workers=4,
        collate_fn=dict(type='default_collate'),
        dataset=dict(
            type='Matek',
            data_root='{{$BM_DATA_ROOT:data/matek}}',
            fold='{{$BM_FOLD:none}}',
            split='train',
            pipeline=knn_pipeline,
        ),
        sampler=dict(type='DefaultSampler', shuffle=False),
    ),
)
