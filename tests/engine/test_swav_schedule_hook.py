import pytest
import torch
from mmengine.hooks import Hook

from bm_plugins.engine import MarrowRunner
from bm_plugins.errors import InputError


class Trace(Hook):
    """Prototypes and queue state after each step."""

    def __init__(self):
        self.prototypes, self.used, self.fill = [], [], []

    def after_train_iter(self, runner, **_):
        loss = runner.model.head.loss_module
        self.prototypes.append(loss.prototypes.weight.detach().clone())
        self.used.append(loss.use_queue)
        self.fill.append(loss._fill)


def small_swav(cells, work_dir, **kwargs):
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
        dict(type='PackInputs'),
    ]
    settings = dict(
        model=dict(
            type='SwAV',
            data_preprocessor=dict(
                type='SelfSupDataPreprocessor', mean=[127.5] * 3, std=[60] * 3
            ),
            backbone=dict(
                type='ResNet_CIFAR',
                depth=18,
                stem_channels=4,
                base_channels=4,
            ),
            neck=dict(
                type='SwAVNeck',
                in_channels=32,
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
        ),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=9,
            num_workers=0,
            collate_fn=dict(type='default_collate'),
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
        experiment_name=work_dir.name,
    )
    return MarrowRunner(**(settings | kwargs))


@pytest.fixture
def traced(cells, tmp_path):
    runner = small_swav(cells, tmp_path)
    trace = Trace()
    runner.register_hook(trace, 'LOWEST')
    start = []
    runner.register_hook(_Start(start))
    runner.train()
    return start[0], trace


class _Start(Hook):
    def __init__(self, start):
        self.start = start

    def before_train(self, runner):
        weight = runner.model.head.loss_module.prototypes.weight
        self.start.append(weight.detach().clone())


def test_prototypes_are_frozen_for_two_epochs_exactly(traced):
    start, trace = traced
    assert len(trace.prototypes) == 16
    for weight in trace.prototypes[:8]:
        # Up to the normalisation of what is already normalised.
        torch.testing.assert_close(weight, start, rtol=0, atol=1e-6)
    before = trace.prototypes[7]
    for weight in trace.prototypes[8:]:
        assert (weight - before).norm() > 1e-3
        before = weight


def test_queue_fills_from_its_epoch(traced):
    _, trace = traced
    assert trace.used == [False] * 4 + [True] * 12
    assert trace.fill == [0] * 4 + [9] + [18] * 11


def test_optimizer_state_of_frozen_prototypes_is_untouched(cells, tmp_path):
    runner = small_swav(
        cells, tmp_path, train_cfg=dict(by_epoch=True, max_epochs=2)
    )
    runner.train()
    weight = runner.model.head.loss_module.prototypes.weight
    state = runner.optim_wrapper.optimizer.state
    assert weight not in state and len(state) > 10


def test_short_queue_is_found_at_the_start(cells, tmp_path):
    runner = small_swav(cells, tmp_path)
    runner._train_dataloader['batch_size'] = 19
    with pytest.raises(InputError, match='queue_length 18 .* batch of 19'):
        runner.train()
