"""From image files to a batch of views."""

import cProfile
import os
import pstats
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import torch
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope
from mmpretrain.datasets import CustomDataset

from bm_plugins.compat.quiet_logs import warnings_only
from bm_plugins.datasets import Matek
from bm_plugins.datasets.layout import IMAGE_ENDINGS, find_image_folder
from bm_plugins.datasets.manifest import write_manifest
from bm_plugins.datasets.samplers.draw_batch_sampler import DrawIndex
from bm_plugins.datasets.transforms.pack_views import collate_views

from .stock_views import numpy2_hue, stock_pipeline
from .timing import compare

LARGE = dict(num=2, size=224, scale=(0.14, 1.0))
SMALL = dict(num=6, size=96, scale=(0.05, 0.14))
# The settings of the stock pipelines.
VIEWS = {
    'swav': dict(
        views=[LARGE, SMALL],
        color_jitter=dict(
            brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2
        ),
        grey_prob=0.2,
        blur_prob=0.5,
        flip_prob=(0.5, 0.0),
    ),
    'paper': dict(views=[LARGE], hue=18, saturation=0.3, value=0.3),
}


def input_speed(
    data_root: str, images: int = 128, runs: int = 5, profile: bool = False
) -> dict:
    """Ours beside mmpretrain's, in this process, on one thread.

    Args:
        data_root (str): Folder of a collection with its manifest.
        images (int): Images of a batch, which one call makes. Defaults to
            128.
        runs (int): Timed calls of each side. Defaults to 5.
        profile (bool): Add ``profile``: by function, the ms an image that it
            takes itself, of the ten longest of ours. Defaults to False.

    Returns:
        dict: ``swav`` (2 × 224 px + 6 × 96 px, colour jitter, grey, blur,
        flip) and ``paper`` (2 × 224 px, HSV jitter, flips): see
        :func:`compare`; the sides are ``ours``, ``stock``, ``ours, decoded
        cache`` and the limit, ``decode only``; ``ratio_decoded_cache`` and
        ``ratio_decode_only`` are those of stock over the latter.
    """
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        with (
            DefaultScope.overwrite_default_scope('mmpretrain'),
            numpy2_hue(),
            warnings_only(),
            warnings.catch_warnings(),
            TemporaryDirectory() as folder,
        ):
            # Upstream's brightness says something of an option, each time.
            warnings.simplefilter('ignore', UserWarning)
            return {
                name: _setting(name, data_root, images, runs, folder, profile)
                for name in VIEWS
            }
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


def _setting(
    name: str,
    data_root: str,
    images: int,
    runs: int,
    folder: str,
    profile: bool,
) -> dict:
    transforms = [
        dict(type='LoadCellImage'),
        dict(type='MultiCropViews', **VIEWS[name]),
        dict(type='PackViews'),
    ]
    root = find_image_folder(data_root)
    stock = CustomDataset(
        data_root=str(root),
        with_label=False,
        pipeline=stock_pipeline(name),
        extensions=IMAGE_ENDINGS,
    )
    count = min(images, len(stock))
    # Spread over the collection, which is sorted by class.
    chosen = [i * len(stock) // count for i in range(count)]
    files = [stock.get_data_info(i)['img_path'] for i in chosen]
    manifest = Path(folder, 'split.csv')
    paths = [os.path.relpath(file, root) for file in files]
    write_manifest(
        manifest, paths, [''] * count, ['train'] * count, [None] * count
    )

    def ours(pipeline: list, collate: Callable, **kwargs) -> Callable:
        cells = Matek(
            data_root,
            ann_file=str(manifest),
            with_label=False,
            pipeline=pipeline,
            **kwargs,
        )
        draws = [DrawIndex(i, (0, 0, i)) for i in range(count)]
        return lambda: collate([cells[draw] for draw in draws])

    sides: dict[str, Callable] = {
        'ours': ours(transforms, collate_views),
        'stock': lambda: default_collate([stock[i] for i in chosen]),
        'ours, decoded cache': ours(
            transforms, collate_views, cache='decoded'
        ),
        'decode only': ours(transforms[:1], list),
    }
    views = [f'{v["num"]} x {v["size"]} px' for v in VIEWS[name]['views']]
    size = sum(map(os.path.getsize, files)) / count / 1024
    what = f'{" + ".join(views)} of {count} images, {size:.0f} KB a file'
    result = compare(what, sides, count, runs)
    middle = {name: s['median_s'] for name, s in result['sides'].items()}
    stock_s = middle['stock']
    result['ratio_decoded_cache'] = stock_s / middle['ours, decoded cache']
    # What no way of making views gets past as long as files are decoded.
    result['ratio_decode_only'] = stock_s / middle['decode only']
    if profile:
        result['profile'] = _longest(sides['ours'], count)
    return result


def _longest(side: Callable, images: int) -> dict[str, float]:
    profiler = cProfile.Profile()
    profiler.runcall(side)
    stats = pstats.Stats(profiler).get_stats_profile().func_profiles
    longest = sorted(stats.items(), key=lambda item: -item[1].tottime)
    return {
        name: round(1000 * function.tottime / images, 4)
        for name, function in longest[:10]
    }
