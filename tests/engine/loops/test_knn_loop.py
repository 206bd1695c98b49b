import csv

import numpy as np
import pytest
import torch
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError
from tests.engine.labelled_part import CLASSES, loader
from tests.engine.small_swav import small_swav


def validated(cells, folder, classes=CLASSES, epochs=4, **val_cfg):
    _, world_size = get_dist_info()
    runner = small_swav(
        cells,
        folder,
        norm='GN',
        launcher='pytorch' if world_size > 1 else 'none',
        train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=2),
        val_dataloader=loader(cells, 'test', 16, 8),
        val_evaluator=dict(type='PerClassMetric', min_support=5),
        val_cfg=dict(
            type='KNNLoop',
            train_dataloader=loader(cells, 'train', 16, 8, classes),
            k=5,
            **val_cfg,
        ),
        default_hooks=dict(
            checkpoint=dict(
                type='SafeCheckpointHook',
                interval=1,
                save_best='per_class/macro_f1',
                rule='greater',
            )
        ),
    )
    runner._train_dataloader['batch_size'] = 12 // world_size
    return runner


class Scores(Hook):
    def __init__(self):
        self.seen = []

    def after_val_epoch(self, runner, metrics):
        self.seen.append((runner.epoch, metrics['per_class/macro_f1']))


def features_of(model, dataset):
    """One image at a time, the mean over the last map by numpy."""
    model.eval()
    rows = []
    for i in range(len(dataset)):
        image = dataset[i]['inputs'].float()[None]
        image = (image - 127.5) / 60
        with torch.no_grad():
            maps = model.backbone(image)[-1]
        rows.append(maps[0].numpy().mean((1, 2)))
    return np.stack(rows), dataset.get_gt_labels()


def votes_of(runner):
    with open(f'{runner.log_dir}/predictions.csv') as file:
        rows = list(csv.DictReader(file))
    return [[float(row[f'p_{code}']) for code in CLASSES] for row in rows]


@pytest.mark.slow
def test_scores_are_scikit_learns(cells, tmp_path):
    runner = validated(cells, tmp_path)
    scores = Scores()
    runner.register_hook(scores)
    runner.train()
    assert [epoch for epoch, _ in scores.seen] == [2, 4]
    known, labels = features_of(runner.model, runner.val_loop.known.dataset)
    features, truth = features_of(
        runner.model, runner.val_loop.dataloader.dataset
    )
    reference = KNeighborsClassifier(
        5,
        metric='cosine',
        algorithm='brute',
        weights=lambda distance: np.exp((1 - distance) / 0.07),
    ).fit(known, labels)
    expected = reference.predict_proba(features)
    votes = votes_of(runner)
    np.testing.assert_allclose(votes, expected, rtol=0, atol=1e-4)
    f1 = f1_score(truth, expected.argmax(1), average='macro')
    assert scores.seen[-1][1] == pytest.approx(f1)


@pytest.mark.slow
def test_the_best_is_kept(cells, tmp_path):
    runner = validated(cells, tmp_path)
    scores = Scores()
    runner.register_hook(scores)
    runner.train()
    best = max(scores.seen, key=lambda seen: (seen[1], -seen[0]))[0]
    assert [p.name for p in tmp_path.glob('best*')] == [
        f'best_per_class_macro_f1_epoch_{best}.pth'
    ]


def validate_here(cells, folder):
    rank, world_size = get_dist_info()
    runner = validated(cells, folder / f'run_{world_size}_{rank}', epochs=2)
    runner.train()
    assert runner.val_loop.model is unwrap(runner.model)
    if rank == 0:
        np.save(folder / f'{world_size}.npy', votes_of(runner))


@pytest.mark.slow
def test_two_ranks_give_the_figures_of_one(cells, tmp_path, run_ranks):
    for world_size in (1, 2):
        run_ranks(validate_here, world_size, cells, tmp_path)
    one, two = (np.load(tmp_path / f'{n}.npy') for n in (1, 2))
    assert one.shape == (13, 3)
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-3)


def test_as_many_of_each_class_as_asked_for(cells, tmp_path):
    runner = validated(cells, tmp_path, per_class=7)
    labels = runner.val_loop.known.dataset.get_gt_labels()
    assert np.bincount(labels).tolist() == [5, 7, 7]


def test_both_parts_have_the_same_classes(cells, tmp_path):
    runner = validated(cells, tmp_path, classes=('BLA', 'ABE', 'LYT'))
    with pytest.raises(InputError, match='different classes'):
        runner.val_loop  # noqa: B018
