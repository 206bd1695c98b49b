"""Features of a collection by a frozen encoder, into a file."""

import datetime
import json
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmpretrain.registry import DATASETS
from torch.utils.data import DataLoader, Dataset

from bm_plugins.choices import PARTS
from bm_plugins.datasets.manifest import protocol_of
from bm_plugins.engine.features.features import (
    backbone_features,
    feature_batches,
)
from bm_plugins.engine.features.frozen_features import (
    labelled,
    pretrained_model,
)
from bm_plugins.engine.runner import MarrowRunner
from bm_plugins.errors import InputError
from bm_plugins.utils.environment import versions
from bm_plugins.utils.progress import track
from bm_plugins.utils.run_manifest import file_facts

from .feature_file import write_features

_PACKAGES = ('torch', 'torchvision', 'mmpretrain', 'timm', 'opencv-python')


def extract_to_file(
    cfg: Config,
    checkpoint: str | None,
    file: str | Path,
    split: Sequence[str] = PARTS,
) -> tuple[int, int]:
    """Take the features of all images of some parts, and write them.

    On several processes all of them work, and the first writes.

    Args:
        cfg (Config): A linear evaluation or supervised config; its test
            pipeline prepares the images.
        checkpoint (str, optional): Any checkpoint with its backbone; None
            for the weights that it starts with.
        file (str or Path): The HDF5 file to write or replace.
        split (Sequence[str]): Parts, of ``train``, ``val`` and ``test``.

    Returns:
        tuple[int, int]: Number of images N, and length D of the features; D
        is 0 on the other processes.

    Raises:
        InputError: The config has no test part, the checkpoint does not fit,
            an image is unreadable, or the file cannot be written.
    """
    if Path(file).is_dir():
        raise InputError(f'--out {file} is a folder; name a file.')
    if checkpoint is not None and '://' in checkpoint:
        raise InputError(
            f'checkpoint {checkpoint}: expected a local file. Download it.'
        )
    model = pretrained_model(cfg, checkpoint)
    settings = cfg.test_dataloader
    cells = DATASETS.build(labelled(settings.dataset, split))
    loader = MarrowRunner.build_dataloader(dict(settings, dataset=cells))
    batches = feature_batches(
        model, loader, partial(backbone_features, model.backbone)
    )
    if not is_main_process():
        for _ in batches:
            pass
        return len(cells), 0
    print(
        f'Features of {len(cells)} images in {len(loader)} batches.',
        flush=True,
    )
    infos = [cells.get_data_info(i) for i in range(len(cells))]
    length = write_features(
        file,
        _on_cpu(batches, loader),
        cells.get_gt_labels(),
        [info['path'] for info in infos],
        [info['part'] for info in infos],
        _attributes(cfg, checkpoint, cells),
    )
    return len(cells), length


def _on_cpu(
    batches: Iterator, loader: DataLoader
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for rows, _, values in track(batches, 'Features', len(loader), 'batches'):
        yield rows.cpu().numpy(), values.float().cpu().numpy()


def _attributes(
    cfg: Config, checkpoint: str | None, cells: Dataset
) -> dict[str, Any]:
    """What the file says of its origin, beside the classes."""
    meta, text = cells.metainfo, cfg.pretty_text
    own = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor')
    preprocessing = dict(
        pipeline=cfg.test_dataloader.dataset.pipeline, data_preprocessor=own
    )
    return dict(
        classes=list(meta['classes']),
        full_names=list(meta['full_names']),
        protocol=protocol_of(cells.ann_file, cells.fold),
        train_support=np.array(meta['train_support']),
        config=text,
        config_sha256=sha256(text.encode()).hexdigest(),
        checkpoint=Path(checkpoint).name if checkpoint else 'none',
        checkpoint_sha256=file_facts([checkpoint])[0]['sha256']
        if checkpoint
        else '',
        manifest_sha256=file_facts([cells.ann_file])[0]['sha256'],
        preprocessing=json.dumps(preprocessing, default=list),
        versions=json.dumps(versions(_PACKAGES)),
        date=datetime.datetime.now().astimezone().isoformat('T', 'seconds'),
    )
