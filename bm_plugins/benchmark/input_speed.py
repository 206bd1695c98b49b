"""From image files to a batch of views."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import torch
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope
from mmpretrain.datasets import CustomDataset

from ..datasets import Matek
from ..datasets.collate import collate_views
from ..datasets.draw import DrawIndex
from ..datasets.layout import find_image_folder
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


def input_speed(data_root: str, images: int = 128, runs: int = 5) -> dict:
    """Ours beside mmpretrain's, in this process, on one thread.

    Args:
        data_root (str): Folder of a collection with its manifest.
        images (int): Images of a batch, which one call makes. Defaults to
            128.
        runs (int): Timed calls of each side. Defaults to 5.

    Returns:
        dict: ``swav`` (2 × 224 px + 6 × 96 px, colour jitter, grey, blur,
        flip) and ``paper`` (2 × 224 px, HSV jitter, flips): see
        :func:`compare`; the sides are ``ours``, ``stock``, ``ours, decoded
        cache`` and ``decode only``.
    """
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        with DefaultScope.overwrite_default_scope('mmpretrain'), numpy2_hue():
            return {
                name: _setting(name, data_root, images, runs) for name in VIEWS
            }
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


def _setting(name: str, data_root: str, images: int, runs: int) -> dict:
    transforms = [
        dict(type='LoadCellImage'),
        dict(type='MultiCropViews', **VIEWS[name]),
        dict(type='PackViews'),
    ]
    folder = find_image_folder(data_root)
    stock = CustomDataset(
        data_root=str(folder),
        with_label=False,
        pipeline=stock_pipeline(name),
        extensions=('.jpg', '.jpeg', '.png'),
    )
    count = min(images, len(stock))
    views = [f'{v["num"]} x {v["size"]} px' for v in VIEWS[name]['views']]
    files = [stock.get_data_info(i)['img_path'] for i in range(count)]
    size = sum(map(os.path.getsize, files)) / count / 1024
    sides: dict[str, Callable] = {
        'ours': _ours(data_root, transforms, files),
        'stock': lambda: default_collate([stock[i] for i in range(count)]),
        'decode only': _ours(data_root, transforms[:1], files, list),
    }
    what = f'{" + ".join(views)} of {count} images, {size:.0f} KB a file'
    result = compare(what, sides, count, runs)
    decode = result['sides']['decode only']['median_s']
    result['bound'] = result['sides']['stock']['median_s'] / decode
    return result


def _ours(
    data_root: str,
    pipeline: list[dict],
    files: list[str],
    collate: Callable = collate_views,
    **kwargs,
) -> Callable[[], object]:
    """Make a batch of just these files."""
    dataset = Matek(
        data_root,
        split=('train', 'val', 'test'),
        with_label=False,
        pipeline=pipeline,
        **kwargs,
    )
    place = {
        Path(dataset.get_data_info(i)['img_path']).resolve(): i
        for i in range(len(dataset))
    }
    chosen = [place[Path(file).resolve()] for file in files]
    return lambda: collate(
        [dataset[DrawIndex(i, (0, 0, n))] for n, i in enumerate(chosen)]
    )
