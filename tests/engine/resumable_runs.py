"""Runs of seconds, to be cut off and resumed."""

from uuid import uuid4

import torch

from bm_plugins.compat.safe_loading import load
from bm_plugins.engine import MarrowRunner
from tests.engine.small_swav import small_swav

SOFT = dict(type='CrossEntropyLoss', use_soft=True)


def by_iteration(every):
    return dict(
        checkpoint=dict(
            type='SafeCheckpointHook', by_epoch=False, interval=every
        )
    )


def classifier(
    cells,
    work_dir,
    workers=0,
    loss=SOFT,
    classes=('BLA', 'LYT', 'ABE'),
    **kwargs,
):
    """Supervised, with mixup and transforms that draw from global state."""
    dataset = dict(
        type='Matek',
        data_root=str(cells),
        metainfo=dict(classes=classes),
        pipeline=[
            dict(type='LoadCellImage'),
            dict(type='RandomResizedCrop', scale=16),
            dict(type='RandomFlip', prob=0.5),
            dict(type='ColorJitter', brightness=0.3, contrast=0.3),
            dict(type='PackInputs'),
        ],
    )
    settings = dict(
        model=dict(
            type='ImageClassifier',
            data_preprocessor=dict(
                num_classes=3, mean=[127.5] * 3, std=[60] * 3
            ),
            train_cfg=dict(augments=dict(type='Mixup', alpha=0.5)),
            backbone=dict(
                type='ResNet_CIFAR', depth=18, stem_channels=8, base_channels=8
            ),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(
                type='LinearClsHead',
                num_classes=3,
                in_channels=64,
                loss=loss,
            ),
        ),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=9,
            num_workers=workers,
            collate_fn=dict(type='default_collate'),
            dataset=dataset,
            sampler=dict(type='ClassBalancedSampler', samples_per_class=12),
            batch_sampler=dict(type='DrawBatchSampler', drop_last=True),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=3),
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=0.01, weight_decay=1e-2)
        ),
        param_scheduler=dict(
            type='CosineAnnealingLR',
            T_max=3,
            by_epoch=True,
            convert_to_iter_based=True,
        ),
        default_scope='mmpretrain',
        randomness=dict(seed=0),
        experiment_name=uuid4().hex,  # mmengine's: global, to the second
    )
    return MarrowRunner(**(settings | kwargs))


def swav_with_averages(cells, work_dir, **kwargs):
    return small_swav(
        cells,
        work_dir,
        **dict(
            train_cfg=dict(by_epoch=True, max_epochs=3),
            param_scheduler=dict(
                type='CosineAnnealingLR', T_max=3, by_epoch=True
            ),
            custom_hooks=[
                dict(type='EMAHook', momentum=0.1),
                dict(
                    type='SwAVScheduleHook',
                    queue_start_epoch=1,
                    freeze_prototypes_epochs=1,
                ),
            ],
        )
        | kwargs,
    )


def states(folder):
    """What a checkpoint holds, but for the log of times."""
    state = load((folder / 'last_checkpoint').read_text())
    return {
        key: state[key]
        for key in ('state_dict', 'optimizer', 'param_schedulers')
    } | {'ema': state.get('ema_state_dict')}


def assert_equal(one, two):
    assert type(one) is type(two)
    if isinstance(one, torch.Tensor):
        torch.testing.assert_close(one, two, rtol=0, atol=0)
    elif isinstance(one, dict):
        assert list(one) == list(two)
        for key in one:
            assert_equal(one[key], two[key])
    elif isinstance(one, list):
        for a, b in zip(one, two, strict=True):
            assert_equal(a, b)
    else:
        assert one == two
