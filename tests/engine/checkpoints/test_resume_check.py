"""Where a resumed run may stand in the data; tools/test_resume.py resumes."""

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from bm_plugins.engine.checkpoints.resume_check import (
    check_progress,
    progress_of,
)
from bm_plugins.errors import InputError


def progress(world_size, batch_size, epoch_length=10):
    return dict(
        world_size=world_size, batch_size=batch_size, epoch_length=epoch_length
    )


@pytest.mark.parametrize(('drop_last', 'batches'), [(True, 3), (False, 4)])
def test_progress_of_a_data_loader(drop_last, batches):
    data = torch.zeros(11, 1)
    sampler = BatchSampler(SequentialSampler(data), 3, drop_last)
    found = progress_of(DataLoader(data, batch_sampler=sampler), 4)
    assert found == progress(4, 3, batches)


@pytest.mark.parametrize(
    'now', [progress(4, 16), progress(1, 64), progress(8, 8)]
)
def test_other_processes_with_the_same_batch_go_on(now):
    check_progress(progress(4, 16), now, 'a.pth')


@pytest.mark.parametrize(
    ('now', 'said'),
    [
        (
            progress(2, 16),
            'a.pth was trained with a global batch of 64 (4 x 16), this run '
            'has 32 (2 x 16), which would change epochs and schedule. Set '
            'train_dataloader.batch_size=32, or start anew from its weights: '
            '--cfg-options load_from=a.pth, without --resume.',
        ),
        (progress(4, 8), 'Set train_dataloader.batch_size=16, or start'),
        (progress(3, 16), 'Use a number of processes that divides 64, or'),
        (
            progress(4, 16, 9),
            'a.pth was trained with 10 batches an epoch, this run has 9: the '
            'training part has changed.',
        ),
    ],
)
def test_another_batch_or_training_part(now, said):
    with pytest.raises(InputError) as error:
        check_progress(progress(4, 16), now, 'a.pth')
    assert said in str(error.value)
