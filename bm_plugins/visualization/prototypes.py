"""The cells that lie nearest to SwAV's prototypes."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from torch import Tensor
from torch.nn.functional import normalize

from bm_plugins.datasets.image_io import read_image
from bm_plugins.engine.checkpoints.checkpoint_keys import model_weights
from bm_plugins.engine.features.frozen_features import (
    Features,
    build_model,
    features_of,
    labelled,
    load_weights,
)
from bm_plugins.errors import InputError
from bm_plugins.models.losses.swav_loss import swav_loss_of
from bm_plugins.utils.csv_file import write_csv
from bm_plugins.utils.files import make_folder

from .canvas import new_figure, note, save

THUMBNAIL = 72  # pixels a side


def write_prototypes(
    cfg: Config,
    checkpoint: str,
    out: Path,
    split: Sequence[str] = ('train',),
    count: int = 20,
    cells: int = 10,
    per_class: int | None = None,
    seed: int = 0,
) -> list[Path]:
    """Embed cells and show the nearest of the prototypes used most.

    Args:
        cfg (Config): A SwAV config.
        checkpoint (str): Of just this config.
        out (Path): Gets ``prototypes.png`` and ``prototypes.csv``
            (``prototype,images,rank,path,code,similarity``).
        split (Sequence[str]): Parts to draw from.
        count (int): Prototypes to show.
        cells (int): Cells of each.
        per_class (int, optional): Images of a class at most; None for all.
        seed (int): Of their draw.

    Raises:
        InputError: The config is no SwAV, or the checkpoint does not fit.
    """
    if 'neck' not in cfg.get('model', {}) or 'train_dataloader' not in cfg:
        raise InputError(
            'the config trains no SwAV: prototypes are of configs/swav_*.py.'
        )
    model = build_model(cfg)
    prototypes = swav_loss_of(model).prototypes
    state = load_weights(checkpoint)
    model.load_state_dict(model_weights(state, model, checkpoint))

    def embed(inputs: Tensor) -> Tensor:
        return normalize(model.neck([model.backbone(inputs)]), dim=1)

    dataset = cfg.train_dataloader.dataset
    found = features_of(
        model,
        labelled(dataset, split, _whole(dataset)),
        embed,
        per_class,
        seed,
    )
    weights = normalize(prototypes.weight.detach().double().cpu(), dim=1)
    similarity = found.values @ weights.T
    make_folder(out)
    rows = nearest(similarity, found, count, cells)
    header = ['prototype', 'images', 'rank', 'path', 'code', 'similarity']
    write_csv(out / 'prototypes.csv', header, rows)
    said = (
        f'The {count} prototypes of {len(weights)} that are nearest to most '
        f'of {len(found.paths)} images ({"/".join(split)}); of each, '
        'the cells most like it, with code and cosine. '
        f'{Path(checkpoint).name}.'
    )
    picture = prototypes_picture(similarity, found, rows, said)
    save(picture, out / 'prototypes.png')
    return [out / 'prototypes.png', out / 'prototypes.csv']


def nearest(
    similarity: Tensor, found: Features, count: int, cells: int
) -> list[tuple]:
    """Rows of ``prototypes.csv``.

    Args:
        similarity (Tensor): Cosine of images and prototypes (N, K).
        found (Features): The images (N,).
        count (int): Prototypes: those nearest to most images.
        cells (int): Images of each, the most similar first.
    """
    used = torch.bincount(similarity.argmax(1), minlength=similarity.size(1))
    most = torch.argsort(used, descending=True, stable=True)[:count].tolist()
    rows = []
    for prototype in most:
        order = torch.argsort(
            similarity[:, prototype], descending=True, stable=True
        )
        for rank, row in enumerate(order[:cells].tolist(), 1):
            rows.append(
                (
                    prototype,
                    int(used[prototype]),
                    rank,
                    found.paths[row],
                    found.codes[found.labels[row]],
                    f'{similarity[row, prototype]:.4f}',
                )
            )
    return rows


def prototypes_picture(
    similarity: Tensor, found: Features, rows: list[tuple], said: str
) -> Figure:
    """A row of cells for each prototype, of the ``rows`` of :func:`nearest`.

    ``said`` is what the picture rests on.
    """
    by_prototype: dict[int, list[tuple]] = {}
    for row in rows:
        by_prototype.setdefault(row[0], []).append(row)
    width = max(map(len, by_prototype.values()))
    files = dict(zip(found.paths, found.files, strict=True))
    owner = similarity.argmax(1)
    figure = new_figure(2.2 + 0.95 * width, 0.6 + 1.12 * len(by_prototype))
    panels = figure.subplots(len(by_prototype), width, squeeze=False)
    for line, (prototype, cells) in zip(
        panels, by_prototype.items(), strict=True
    ):
        codes = found.labels[owner == prototype]
        text = f'no. {prototype}\n{cells[0][1]} images'
        if len(codes):
            counts = torch.bincount(codes)
            share = float(counts.max() / len(codes))
            text += f'\n{share:.0%} {found.codes[int(counts.argmax())]}'
        line[0].set_ylabel(
            text, rotation=0, ha='right', va='center', fontsize=8, labelpad=8
        )
        for axes in line:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_frame_on(False)
        for axes, cell in zip(line, cells, strict=False):
            axes.imshow(_thumbnail(files[cell[3]]))
            axes.set_title(f'{cell[4]} {cell[5][:-2]}', fontsize=7, pad=2)
    note(figure, said)
    return figure


def _whole(dataset: dict) -> list[dict]:
    """Whole images at the size of the large views."""
    views = [s for s in dataset['pipeline'] if s['type'] == 'MultiCropViews']
    if not views:
        raise InputError(
            'train_dataloader.dataset.pipeline has no MultiCropViews, whose '
            'size the cells are to be resized to.'
        )
    size = max(view['size'] for view in views[0]['views'])
    return [
        dict(type='LoadCellImage'),
        dict(type='Resize', scale=(size, size), interpolation='area'),
        dict(type='PackInputs', meta_keys=('path', 'img_path', 'sample_idx')),
    ]


def _thumbnail(file: str) -> np.ndarray:
    image = read_image(file)[..., ::-1]
    return cv2.resize(
        image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA
    )
