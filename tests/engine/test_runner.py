from uuid import uuid4

import pytest
import torch
from torch import nn

from bm_plugins.engine import MarrowRunner
from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError


def build(work_dir, batches=3, **kwargs):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = nn.Linear(2, 2)
            self.norm = nn.SyncBatchNorm(2)

        def train_step(self, data, optim_wrapper):
            return {}

    data = torch.utils.data.TensorDataset(torch.zeros(batches, 2))
    return MarrowRunner(
        model=Model(),
        work_dir=str(work_dir),
        train_dataloader=torch.utils.data.DataLoader(data),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        experiment_name=uuid4().hex,
        **kwargs,
    )


def distributed_run(folder):
    rank = torch.distributed.get_rank()
    runner = build(f'{folder}/same', launcher='pytorch')
    kinds = [type(m).__name__ for m in runner.model.modules()]
    runner.build_train_loop(runner._train_loop)
    try:
        runner = build(f'{folder}/other', 3 + rank, launcher='pytorch')
        runner.build_train_loop(runner._train_loop)
        message = None
    except InputError as error:
        message = str(error)
    torch.save((kinds, message), f'{folder}/{rank}.pth')


def test_two_processes_without_a_gpu(run_ranks, tmp_path):
    run_ranks(distributed_run, 2, tmp_path)
    for rank in range(2):
        kinds, message = torch.load(tmp_path / f'{rank}.pth')
        assert 'CPUSyncBatchNorm' in kinds and 'SyncBatchNorm' not in kinds
        assert '3 to 4 batches an epoch' in message


def test_epoch_without_a_batch(tmp_path):
    runner = build(tmp_path, batches=0)
    with pytest.raises(InputError, match='batch_size'):
        runner.build_train_loop(runner._train_loop)


@pytest.mark.parametrize(
    ('hook', 'message'),
    [
        (
            dict(type='EarlyStoppingHook', monitor='per_class/macro_f1'),
            'EarlyStoppingHook cannot be built: Cannot infer the rule for '
            r"per_class/macro_f1, .* must be specified. \('greater' or 'less'",
        ),
        (
            dict(type='CheckpointHook', save_best='per_class/macro_f1'),
            'CheckpointHook cannot be built: Cannot infer the rule',
        ),
        (
            dict(type='EMAHook', begin_iter=-1),
            'EMAHook cannot .*begin_iter. must',
        ),
        (dict(type='ResNeXt', depth=50), 'ResNeXt is not in the '),
    ],
)
def test_a_hook_that_cannot_be_built(tmp_path, hook, message):
    with pytest.raises(InputError, match=message):
        build(tmp_path, custom_hooks=[hook])


def test_fine_tuning_takes_the_backbone_and_resuming_everything(tmp_path):
    weights = {'backbone.weight': torch.eye(2), 'backbone.bias': torch.ones(2)}
    file = tmp_path / 'pretrained.pth'
    torch.save(dict(state_dict=weights, meta={}), file)
    runner = build(tmp_path / 'tune')
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.load_checkpoint(str(file))
    torch.testing.assert_close(
        unwrap(runner.model).backbone.weight.data, torch.eye(2)
    )
    runner = build(tmp_path / 'resume', resume=True, load_from=str(file))
    with pytest.raises(InputError, match='5 keys differ .norm.weight'):
        runner.load_checkpoint(str(file))
