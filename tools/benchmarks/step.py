"""Images a second of training: ours, stock, and the step's compute alone."""

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import torch
from mmengine.config import Config
from torch.profiler import ProfilerActivity, profile

from bm_plugins.errors import InputError

from . import held_loop  # noqa: F401, registers the loops
from .stock_config import stock_config
from .stock_views import numpy2_hue
from .timed_training import Side

ON_GPU = ('swav_bm', 'swav_mcrop_bm', 'resnext50_bm', 'supcon_bm')
ON_CPU = ('swav_tiny_bm', 'resnet_tiny_bm', 'supcon_tiny_bm')
BFLOAT16 = {
    'optim_wrapper.type': 'AmpOptimWrapper',
    'optim_wrapper.dtype': 'bfloat16',
    'channels_last': True,
}
GPU_VIEWS = {'data_preprocessor.type': 'GPUViews'}
VARIANTS: dict[str, dict] = {
    'ours': {},
    'ours, bf16 channels_last': BFLOAT16,
    'ours, bf16 channels_last, views on the GPU': BFLOAT16 | GPU_VIEWS,
    'ours, bf16 channels_last compiled': BFLOAT16 | {'compile': True},
}


def step(
    data_root: str,
    configs: Sequence[str] | None = None,
    runs: int = 3,
    iterations: int | None = None,
    workers: int | None = None,
    variants: Mapping[str, dict] | None = None,
    options: Mapping[str, object] | None = None,
    top: int = 0,
) -> dict:
    """Time training as a whole, by turns in one process.

    Each variant of ours trains end to end, and on one batch that is on the
    device already (``compute only``; with views on the GPU the batch is of
    files, whose decoding is part of the compute); the stock side is of
    :func:`stock_config`. SwAV's queue is in use, as it is in most of a run.

    Args:
        data_root (str): The collection, with its manifest.
        configs (Sequence[str], optional): Names in ``configs/``. Defaults to
            the paper's on a GPU, to the tiny ones without.
        runs (int): Turns of each side. Defaults to 3.
        iterations (int, optional): Steps of a turn. Defaults to 100 on a GPU,
            10 without.
        workers (int, optional): Of each data loader. Defaults to the cores,
            at most 16.
        variants (Mapping[str, dict], optional): Options of ours by name, as
            for ``--cfg-options``; the first is compared with stock. Defaults
            to :func:`variants_here`. Those with views on the GPU are left
            out where there are no views.
        options (Mapping, optional): Options of all sides.
        top (int): Operators to name by their time in the compute, of the
            last variant. Defaults to 0.

    Returns:
        dict: ``device``, ``torch``, ``workers``, ``steps`` and ``configs``,
        by name ``batch_size``, ``ratio`` (first variant over stock),
        ``best_ratio``, ``share_of_compute`` by variant, ``sides`` (for each
        ``images_per_s``, the median, ``runs``, ``peak_mib`` and
        ``waits_per_step``), and ``top``.
    """
    gpu = torch.cuda.is_available()
    iterations = iterations or (100 if gpu else 10)
    if workers is None:
        workers = min(len(os.sched_getaffinity(0)), 16)
    if variants is None:
        variants = variants_here()
    level = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        results = {}
        for name in configs or (ON_GPU if gpu else ON_CPU):
            cfg = prepare(name, data_root, workers, options or {})
            fitting = {
                variant: own
                for variant, own in variants.items()
                if cfg.model.type != 'ImageClassifier'
                or not GPU_VIEWS.items() <= own.items()
            }
            results[name] = _time(cfg, fitting, runs, iterations, top)
    finally:
        logging.disable(level)
    return dict(
        device=torch.cuda.get_device_name() if gpu else 'cpu',
        torch=torch.__version__,
        workers=workers,
        steps=iterations,
        configs=results,
    )


def variants_here() -> dict[str, dict]:
    """``VARIANTS`` on a GPU; plain ours without."""
    return VARIANTS if torch.cuda.is_available() else {'ours': {}}


def prepare(
    name: str, data_root: str, workers: int, options: Mapping[str, object]
) -> Config:
    """What both sides have in common."""
    file = Path(__file__).parents[2] / 'configs' / f'{name}.py'
    if not file.is_file():
        raise InputError(f'{name}: no {file.name} in configs/.')
    cfg = Config.fromfile(file)
    for part in ('val', 'test'):
        for key in (f'{part}_dataloader', f'{part}_cfg', f'{part}_evaluator'):
            cfg.pop(key, None)
    cfg.default_hooks.checkpoint = None
    loader = cfg.train_dataloader
    loader.dataset.data_root = data_root
    loader.num_workers = workers
    loader.persistent_workers = workers > 0
    loader.pin_memory = torch.cuda.is_available()
    # Epochs as long as those of the whole collection, on any part of it.
    if loader.sampler.type == 'DefaultSampler':
        loader.sampler = dict(type='RepeatedSampler', shuffle=True)
    elif loader.sampler.get('samples_per_class', 0) is None:
        loader.sampler.samples_per_class = 10_000
    if cfg.model.type == 'SwAV':
        cfg.model.head.loss.update(
            queue_start_epoch=0, freeze_prototypes_epochs=0
        )
    cfg.merge_from_dict(dict(options))
    return cfg


def _time(
    cfg: Config, variants: Mapping, runs: int, steps: int, top: int
) -> dict:
    with tempfile.TemporaryDirectory() as folder, numpy2_hue():
        sides, goes = {}, {}
        for number, (name, options) in enumerate(variants.items()):
            own = Config(cfg._cfg_dict.to_dict())
            own.merge_from_dict(options)
            own.train_cfg = _held('HeldTrainLoop', cfg)
            sides[name] = Side(own, Path(folder, f'ours_{number}'))
            goes[name] = sides[name].train
            goes[f'{name}, compute only'] = sides[name].compute
        stock = stock_config(cfg)
        stock.train_cfg = _held('HeldStockTrainLoop', cfg)
        stock.train_dataloader.sampler = dict(
            type='RepeatedSampler', shuffle=True
        )
        sides['stock'] = Side(stock, Path(folder, 'stock'))
        goes['stock'] = sides['stock'].train
        try:
            turns: dict[str, list[dict]] = {name: [] for name in goes}
            for _ in range(runs):
                for name, go in goes.items():
                    turns[name].append(go.__self__.turn(go, steps))
            result = _summary(turns, list(variants))
            for name, side in sides.items():
                result['sides'][name]['waits_per_step'] = side.waits()
            if top:
                result['top'] = _top(sides[list(variants)[-1]], top)
        finally:
            for side in sides.values():
                side.close()
        return dict(batch_size=cfg.train_dataloader.batch_size, **result)


def _held(kind: str, cfg: Config) -> dict:
    return dict(type=f'mmpretrain.{kind}', max_epochs=cfg.train_cfg.max_epochs)


def _summary(turns: dict[str, list[dict]], variants: list[str]) -> dict:
    sides = {
        name: dict(
            images_per_s=median(turn['images_per_s'] for turn in made),
            runs=[turn['images_per_s'] for turn in made],
            peak_mib=max(turn['peak_mib'] for turn in made),
        )
        for name, made in turns.items()
    }
    speed = {name: side['images_per_s'] for name, side in sides.items()}
    best = max(speed[name] for name in variants)
    return dict(
        ratio=speed[variants[0]] / speed['stock'],
        best_ratio=best / speed['stock'],
        share_of_compute={
            name: speed[name] / speed[f'{name}, compute only']
            for name in variants
        },
        sides=sides,
    )


def _top(side: Side, count: int, steps: int = 3) -> list[dict]:
    """Operators that take most of the compute, a step."""
    activities = [ProfilerActivity.CPU]
    kind = 'self_cpu_time_total'
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
        kind = 'self_device_time_total'
    with profile(activities=activities) as record:
        side.compute(steps)
    rows = record.key_averages()
    total = sum(getattr(row, kind) for row in rows)
    rows = sorted(rows, key=lambda row: -getattr(row, kind))[:count]
    return [
        dict(
            operator=row.key,
            ms=getattr(row, kind) / 1000 / steps,
            share=getattr(row, kind) / total,
            calls=row.count / steps,
        )
        for row in rows
    ]
