from pathlib import Path

import numpy as np
import pytest

from bm_plugins.errors import InputError
from tests.engine.resumable_runs import classifier


def train(cells, folder, loss, sampler=None, **arguments):
    runner = classifier(
        cells,
        folder,
        loss=dict(type=loss, **arguments),
        default_hooks=dict(checkpoint=None),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        param_scheduler=None,
    )
    if sampler:
        runner._train_dataloader['sampler'] = dict(type=sampler)
    runner.train()
    return runner, next(Path(folder).glob('*/*.log')).read_text()


def test_shares_are_of_the_training_images(cells, tmp_path):
    runner, log = train(cells, tmp_path, 'LogitAdjustedLoss', 'DefaultSampler')
    counts = np.bincount(runner.train_dataloader.dataset.get_gt_labels())
    assert len({*counts}) == 3
    expected = np.log(counts / counts.sum())
    found = runner.model.head.loss_module.adjustment
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert f'Added to the logits in training: BLA {expected[0]:.4g}' in log


def test_unequal_classes_are_allowed_for_once(cells, tmp_path):
    with pytest.raises(InputError, match='ClassBalancedSampler makes equal'):
        train(cells, tmp_path, 'LogitAdjustedLoss')


def test_costs_are_of_the_data_sets_classes(cells, tmp_path):
    file = tmp_path / 'costs.csv'
    file.write_text('code,other,cost\nABE,LYT,0.1\n')
    runner, log = train(cells, tmp_path, 'SoftLabelLoss', costs=str(file))
    near = 1 / (1 + np.exp(15 * 0.1))  # the others are e^-15
    expected = [[1, 0, 0], [0, 1 - near, near], [0, near, 1 - near]]
    found = runner.model.head.loss_module.soft_labels
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert 'its own soft label: BLA 1.000 LYT 0.818 ABE 0.818' in log
