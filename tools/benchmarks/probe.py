"""Linear evaluation in one pass, beside 100 epochs of the stock route."""

import time
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, MODELS
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bm_plugins import plugins  # noqa: F401
from bm_plugins.compat.quiet_logs import warnings_only
from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.engine.features.feature_cache import FeatureCache, feature_key
from bm_plugins.engine.features.features import extract_features
from bm_plugins.engine.runner import MarrowRunner
from bm_plugins.evaluation.linear.probe import fit_linear_probe

from .timing import compare

EPOCHS = 100  # of the SwAV paper's linear evaluation
MEASURED = 2


def probe(
    data_root: str,
    runs: int = 1,
    images: int | None = None,
    backbone: dict | None = None,
    length: int = 2048,
    size: int = 224,
    batch_size: int = 64,
    workers: int = 2,
) -> dict:
    """Time a linear evaluation of a frozen, untrained network.

    Ours is all of it: one pass over the training part, choosing l2, the fit.
    The stock route is mmpretrain's ImageClassifier with the backbone frozen
    and a LinearClsHead trained by SGD on augmented images: two epochs, times
    50; without the hooks, logs and checkpoints of a run, which would add to
    it. ``'from cache'`` is ours a second time; ``'one pass'`` the limit.

    Args:
        data_root (str): Collection, prepared.
        runs (int): Timed calls of each. Defaults to 1.
        images (int, optional): Training images to take, drawn by seed 0.
            Defaults to None: all.
        backbone (dict, optional): Its config. Defaults to a ResNet-50.
        length (int): Length of its features. Defaults to 2,048.
        size (int): Pixels of an image's side. Defaults to 224.
        batch_size (int): Images at a time. Defaults to 64.
        workers (int): Processes that read, on both sides. Defaults to 2.

    Returns:
        dict: As of :func:`compare`, the stock side for 100 epochs, with its
        measured seconds under ``measured_s``; and ``epochs``,
        ``extrapolated_from_epochs`` and ``cost_in_forward_passes``, ours
        over the pass in it.
    """
    init_default_scope('mmpretrain')
    backbone = backbone or dict(type='ResNet', depth=50)
    model = _classifier(backbone, length)
    frozen = _classifier(
        dict(backbone, frozen_stages=4, norm_eval=True), length
    )
    still = [
        dict(type='LoadCellImage'),
        dict(type='Resize', scale=(size, size), interpolation='area'),
        _pack(),
    ]
    augmented = [
        dict(type='LoadImageFromFile'),
        dict(type='RandomResizedCrop', scale=size, backend='pillow'),
        dict(type='RandomFlip', prob=0.5, direction='horizontal'),
        _pack(),
    ]
    settings = data_root, images, batch_size, workers
    in_order = _loader(still, False, *settings)
    shuffled = _loader(augmented, True, *settings)
    cells = in_order.dataset

    def one_pass() -> tuple[Tensor, Tensor]:
        return extract_features(
            model,
            in_order,
            lambda inputs: model.head.pre_logits(model.extract_feat(inputs)),
        )

    passes = []

    def ours() -> None:
        start = time.perf_counter()
        features, labels = one_pass()
        passes.append(time.perf_counter() - start)
        fit_linear_probe(features, labels, len(CLASSES))

    with TemporaryDirectory() as folder:
        cache = FeatureCache(folder)
        cache.save(feature_key(model, cells, still, False), one_pass()[0])

        def from_cache() -> None:
            features = cache.load(feature_key(model, cells, still, False))
            labels = torch.as_tensor(cells.get_gt_labels())
            fit_linear_probe(features, labels, len(CLASSES))

        sides = {
            'ours': ours,
            'stock': lambda: _train_head(frozen, shuffled),
            'one pass': one_pass,
            'from cache': from_cache,
        }
        what = (
            f'linear evaluation of a {backbone["type"]} on {len(cells):,} '
            f'images at {size} px; stock: {EPOCHS} epochs, extrapolated from '
            f'{MEASURED}'
        )
        # The pass into the cache has warmed up what there is to.
        result = compare(what, sides, len(cells), runs, warm_up=False)
    stock, factor = result['sides']['stock'], EPOCHS / MEASURED
    stock['measured_s'] = stock['runs_s']
    stock['runs_s'] = [factor * seconds for seconds in stock['measured_s']]
    stock['median_s'] *= factor
    stock['per_item_ms'] *= factor
    result['ratio'] *= factor
    result['epochs'] = EPOCHS
    result['extrapolated_from_epochs'] = MEASURED
    # Each call's own pass: what slows the machine slows both.
    costs = zip(result['sides']['ours']['runs_s'], passes, strict=True)
    result['cost_in_forward_passes'] = median(t / one for t, one in costs)
    return result


def _pack() -> dict:
    return dict(type='PackInputs', meta_keys=('sample_idx',))


def _classifier(backbone: dict, length: int) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            data_preprocessor=dict(
                mean=[123.675, 116.28, 103.53],
                std=[58.395, 57.12, 57.375],
                to_rgb=True,
            ),
            backbone=backbone,
            neck=dict(type='GlobalAveragePooling'),
            head=dict(
                type='LinearClsHead',
                num_classes=len(CLASSES),
                in_channels=length,
            ),
        )
    )
    with warnings_only():  # without a list of all weights
        model.init_weights()
    return model.to('cuda' if torch.cuda.is_available() else 'cpu')


def _loader(
    pipeline: list[dict],
    shuffle: bool,
    data_root: str,
    images: int | None,
    batch_size: int,
    workers: int,
) -> DataLoader:
    cells = DATASETS.build(
        dict(
            type='Matek',
            data_root=data_root,
            split=('train', 'val'),
            pipeline=pipeline,
        )
    )
    order = np.random.default_rng(0).permutation(len(cells))
    cells.get_subset_(sorted(order[:images].tolist()))
    return MarrowRunner.build_dataloader(
        dict(
            batch_size=batch_size,
            num_workers=workers,
            persistent_workers=True,
            collate_fn=dict(type='default_collate'),
            dataset=cells,
            sampler=dict(type='DefaultSampler', shuffle=shuffle),
        ),
        seed=0,
    )


def _train_head(model: nn.Module, loader: DataLoader) -> None:
    """Some epochs of the stock route."""
    model.train()
    weights = [p for p in model.parameters() if p.requires_grad]
    # the SwAV paper's rate of 0.3 is for batches of 256
    rate = 0.3 * loader.batch_size / 256
    optimizer = torch.optim.SGD(weights, rate, 0.9, weight_decay=1e-6)
    wrapper = OptimWrapper(optimizer)
    for epoch in range(MEASURED):
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            model.train_step(batch, wrapper)
