import pytest
import torch

from bm_plugins.engine.accumulation import check_counts
from bm_plugins.errors import InputError
from tests.engine.loops.test_train_loop import Power, PowerCut
from tests.engine.resumable_runs import assert_equal, classifier, states
from tests.engine.tiny_runs import steps, tiny_run

NAME = 'resnet_tiny_bm'


def weights_after(cells, work_dir, batch, accumulative_counts, epochs=1):
    """Of a model that knows no batch, by a constant rate, over 24 images."""
    options = {
        'model.backbone.norm_cfg': dict(type='GN', num_groups=4),
        'optim_wrapper.accumulative_counts': accumulative_counts,
        'param_scheduler': [],
        'train_cfg.max_epochs': epochs,
        'train_dataloader.batch_size': batch,
    }
    runner = tiny_run(NAME, cells, work_dir, **steps(4, NAME) | options)
    runner.train()
    return {k: v.clone() for k, v in runner.model.state_dict().items()}


def assert_close(one, other):
    for key, value in one.items():
        torch.testing.assert_close(
            other[key], value, rtol=1e-4, atol=1e-6, msg=key
        )


@pytest.mark.slow
def test_two_steps_summed_up_equal_one_of_twice_the_batch(cells, tmp_path):
    large = weights_after(cells, tmp_path / 'large', 12, 1)
    small = weights_after(cells, tmp_path / 'small', 6, 2)
    assert_close(large, small)
    once = weights_after(cells, tmp_path / 'once', 6, 1)
    assert not torch.allclose(once['head.fc.weight'], small['head.fc.weight'])


@pytest.mark.slow
def test_the_rest_of_an_epoch_is_an_update(cells, tmp_path):
    """8 of 3 images by fives: 15 and 9 images, in each of two epochs."""
    small = weights_after(cells, tmp_path / 'small', 3, 5, epochs=2)
    smaller = weights_after(cells, tmp_path / 'smaller', 1, 15, epochs=2)
    assert_close(small, smaller)


@pytest.mark.slow
@pytest.mark.parametrize('cut', [6, 9])
def test_resumed_run_equals_one_that_never_stopped(cells, tmp_path, cut):
    """4 batches an epoch by threes; a checkpoint after each epoch."""

    def build(folder, **kwargs):
        return classifier(
            cells,
            tmp_path / folder,
            optim_wrapper=dict(
                optimizer=dict(type='SGD', lr=0.1, momentum=0.9),
                accumulative_counts=3,
            ),
            default_hooks=dict(checkpoint=dict(type='SafeCheckpointHook')),
            **kwargs,
        )

    build('whole').train()
    runner = build('cut')
    runner.register_hook(PowerCut(cut))
    with pytest.raises(Power):
        runner.train()
    build('cut', resume=True).train()
    assert_equal(states(tmp_path / 'cut'), states(tmp_path / 'whole'))


@pytest.mark.parametrize(
    'name,reason',
    [('swav_tiny_bm', 'equal shares'), ('supcon_tiny_bm', 'contrasts')],
)
def test_methods_that_it_would_change(cells, tmp_path, name, reason):
    options = {'optim_wrapper.accumulative_counts': 4}
    runner = tiny_run(name, cells, tmp_path, **options)
    with pytest.raises(InputError, match=reason) as error:
        runner.train()
    assert 'accumulative_counts=4' in str(error.value)
    assert 'bfloat16' in str(error.value)
    assert runner.iter == 0


def test_learning_rate_is_scaled_by_the_images_of_an_update(cells, tmp_path):
    """Batches of 6 by fours are 24 images, for a rate of 64."""
    options = {
        'optim_wrapper.accumulative_counts': 4,
        'auto_scale_lr': dict(base_batch_size=64, enable=True),
    }
    runner = tiny_run(NAME, cells, tmp_path, **steps(4, NAME) | options)
    runner.train()
    (group,) = runner.optim_wrapper.optimizer.param_groups
    assert group['initial_lr'] == pytest.approx(0.1 * 24 / 64)
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'the gradients of 4 steps, of 24 images' in log


@pytest.mark.parametrize('counts', [0, -1, 1.5])
def test_counts_are_numbers_from_1(counts):
    with pytest.raises(InputError, match=f'accumulative_counts={counts}'):
        check_counts(counts)


def test_no_checkpoint_amid_an_accumulation(cells, tmp_path):
    options = {
        'optim_wrapper.accumulative_counts': 2,
        'default_hooks.checkpoint': dict(
            type='SafeCheckpointHook', by_epoch=False, interval=3
        ),
    }
    runner = tiny_run(NAME, cells, tmp_path, **options)
    with pytest.raises(InputError, match='interval=3 .*counts=2'):
        runner.train()
