from pathlib import Path

import numpy as np
import pytest

from bm_plugins.errors import InputError
from bm_plugins.models.losses.weighted_cross_entropy import class_weights
from tests.engine.resumable_runs import SOFT, classifier

WEIGHTED = dict(type='WeightedCrossEntropyLoss', num_classes=3)


def train(cells, folder, loss, **hook):
    runner = classifier(
        cells,
        folder,
        loss=loss,
        default_hooks=dict(checkpoint=None),
        custom_hooks=[dict(type='ClassWeightHook', **hook)],
    )
    runner.train()
    return runner


@pytest.mark.parametrize('kind', ['inverse_frequency', 'effective_number'])
def test_weights_are_of_the_images_not_of_the_draws(cells, tmp_path, kind):
    runner = train(cells, tmp_path, WEIGHTED, kind=kind)
    labels = runner.train_dataloader.dataset.get_gt_labels()
    counts = np.bincount(labels)
    assert len(set(counts)) == 3  # though the sampler shows all as often
    weights = runner.model.head.loss_module.class_weight
    np.testing.assert_allclose(weights, class_weights(counts, kind), rtol=1e-6)
    log = next(Path(tmp_path).glob('*/*.log')).read_text()
    assert f'Class weights, {kind}: BLA {weights[0]:.4g}' in log


def test_another_loss(cells, tmp_path):
    with pytest.raises(InputError, match='found CrossEntropyLoss'):
        train(cells, tmp_path, SOFT)


@pytest.mark.parametrize('rule', ['inverse_frequency', 'effective_number'])
def test_a_childs_own_hooks_leave_the_weights(cells, tmp_path, rule):
    runner = classifier(
        cells,
        tmp_path,
        loss=dict(WEIGHTED, class_weight=rule),
        default_hooks=dict(checkpoint=None),
        custom_hooks=[dict(type='EMAHook')],
    )
    runner.train()
    counts = np.bincount(runner.train_dataloader.dataset.get_gt_labels())
    weights = runner.model.head.loss_module.class_weight
    np.testing.assert_allclose(weights, class_weights(counts, rule), rtol=1e-6)


def test_no_weights_where_none_are_wanted(cells, tmp_path):
    runner = classifier(
        cells,
        tmp_path,
        loss=dict(WEIGHTED, class_weight=None),
        default_hooks=dict(checkpoint=None),
    )
    runner.train()
    assert runner.model.head.loss_module.class_weight.tolist() == [1, 1, 1]
