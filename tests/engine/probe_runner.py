"""A runner of linear evaluation on the small collection."""

from uuid import uuid4

from mmengine.dist import get_dist_info

from bm_plugins.engine import MarrowRunner
from tests.engine.labelled_part import loader


def build(cells, work_dir, load_from=None, num_classes=3, **test_cfg):
    _, world_size = get_dist_info()
    return MarrowRunner(
        model=dict(
            type='ImageClassifier',
            data_preprocessor=dict(mean=[127.5] * 3, std=[60.0] * 3),
            backbone=dict(
                type='ResNet_CIFAR',
                depth=18,
                stem_channels=4,
                base_channels=4,
            ),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(
                type='LinearClsHead', num_classes=num_classes, in_channels=32
            ),
        ),
        work_dir=str(work_dir),
        test_dataloader=loader(cells, 'test'),
        test_evaluator=dict(type='PerClassMetric', min_support=5),
        test_cfg=dict(
            type='LinearProbeLoop',
            train_dataloader=loader(cells, ('train', 'val')),
            **test_cfg,
        ),
        load_from=load_from,
        launcher='pytorch' if world_size > 1 else 'none',
        default_scope='mmpretrain',
        randomness=dict(seed=0),
        experiment_name=uuid4().hex,
    )
