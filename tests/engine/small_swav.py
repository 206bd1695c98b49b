"""A SwAV run of a second."""

from uuid import uuid4

from bm_plugins.engine import MarrowRunner

NORMS = dict(BN=dict(type='BN'), GN=dict(type='GN', num_groups=2))


def small_model(norm='BN'):
    return dict(
        type='SwAV',
        data_preprocessor=dict(
            type='SelfSupDataPreprocessor', mean=[127.5] * 3, std=[60] * 3
        ),
        backbone=dict(
            type='ResNet_CIFAR',
            depth=18,
            # Fewer: oneDNN on AVX2 writes beyond the gradient of a strided
            # 1x1 convolution in channels_last.
            stem_channels=8,
            base_channels=8,
            norm_cfg=NORMS[norm],
        ),
        neck=dict(
            type='SwAVNeck',
            in_channels=64,
            hid_channels=0,
            out_channels=8,
        ),
        head=dict(
            type='SwAVHead',
            loss=dict(
                type='GlobalSwAVLoss',
                feat_dim=8,
                num_prototypes=6,
                queue_length=18,
            ),
        ),
    )


def small_swav(cells, work_dir, norm='BN', runner=MarrowRunner, **kwargs):
    """A runner over 36 images: 4 steps of 9 an epoch."""
    pipeline = [
        dict(type='LoadCellImage'),
        dict(
            type='MultiCropViews',
            views=[dict(num=2, size=16, scale=(0.3, 1.0))],
            hue=9,
            saturation=0.1,
            value=0.1,
        ),
        dict(type='PackViews'),
    ]
    settings = dict(
        model=small_model(norm),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=9,
            num_workers=0,
            collate_fn=dict(type='collate_views'),
            dataset=dict(
                type='Matek',
                data_root=str(cells),
                with_label=False,
                indices=36,
                pipeline=pipeline,
            ),
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='DrawBatchSampler', drop_last=True),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=4),
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-2)
        ),
        custom_hooks=[
            dict(
                type='SwAVScheduleHook',
                queue_start_epoch=1,
                freeze_prototypes_epochs=2,
            )
        ],
        default_hooks=dict(checkpoint=None),
        default_scope='mmpretrain',
        randomness=dict(seed=0),
        experiment_name=uuid4().hex,
    )
    return runner(**(settings | kwargs))
