"""Features of cells from a checkpoint, without a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from mmpretrain.registry import DATASETS, MODELS
from torch import Tensor, nn
from torch.utils.data import Dataset

from bm_plugins import plugins  # noqa: F401
from bm_plugins.compat.quiet_logs import warnings_only
from bm_plugins.engine.checkpoints.checkpoint_keys import backbone_weights
from bm_plugins.engine.runner import MarrowRunner
from bm_plugins.errors import InputError

from .features import extract_features, some_of_each


@dataclass(frozen=True)
class Features:
    """Features of labelled cells.

    Attributes:
        values (Tensor): Features (N, D), float64.
        labels (Tensor): Class indices (N,).
        paths (list[str]): Images (N,), relative to the image folder.
        files (list[str]): The same as files.
        codes, names (tuple[str, ...]): Of the classes (C,).
    """

    values: Tensor
    labels: Tensor
    paths: list[str]
    files: list[str]
    codes: tuple[str, ...]
    names: tuple[str, ...]


def build_model(cfg: Config) -> nn.Module:
    """The config's ``model``, in its initial state."""
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    settings = dict(cfg.model)
    settings.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    torch.manual_seed(cfg.get('randomness', {}).get('seed') or 0)
    with warnings_only():
        model = MODELS.build(settings)
        model.init_weights()
    return model.to('cuda' if torch.cuda.is_available() else 'cpu')


def load_weights(file: str | Path) -> dict:
    """A checkpoint, safely.

    Raises:
        InputError: It does not exist.
    """
    if '://' not in str(file) and not Path(file).is_file():
        raise InputError(
            f'checkpoint {file} does not exist; give the .pth file of a '
            'training run.'
        )
    with warnings_only():
        return CheckpointLoader.load_checkpoint(str(file), 'cpu')


def pretrained_model(cfg: Config, checkpoint: str | None) -> nn.Module:
    """The model of a config with a test part, with a checkpoint's backbone.

    Args:
        cfg (Config): A linear evaluation or supervised config.
        checkpoint (str, optional): Any checkpoint with its backbone; None
            for the initial state.

    Raises:
        InputError: The config has no test part, or the checkpoint does not
            fit.
    """
    if 'test_dataloader' not in cfg:
        raise InputError(
            'the config has no test part: give the linear_*.py config of the '
            'backbone.'
        )
    model = build_model(cfg)
    if checkpoint is not None:
        weights = load_weights(checkpoint)
        model.backbone.load_state_dict(
            backbone_weights(weights, model.backbone, checkpoint)
        )
    return model


def features_of(
    model: nn.Module,
    dataset: dict,
    features: Callable[[Tensor], Tensor],
    per_class: int | None = None,
    seed: int = 0,
) -> Features:
    """One pass over a labelled data set.

    Args:
        model (nn.Module): Has the ``data_preprocessor``.
        dataset (dict): Config of the data set.
        features (Callable): From a batch of images to features (B, D).
        per_class (int, optional): Images of a class at most, drawn by
            ``seed``; None for all.
        seed (int): As said.
    """
    cells: Dataset = DATASETS.build(dataset)
    if per_class is not None:
        cells.get_subset_(some_of_each(cells, per_class, seed))
    loader = MarrowRunner.build_dataloader(
        dict(
            batch_size=64,
            num_workers=2,
            collate_fn=dict(type='default_collate'),
            dataset=cells,
            sampler=dict(type='DefaultSampler', shuffle=False),
        )
    )
    values, labels = extract_features(model, loader, features)
    infos = [cells.get_data_info(i) for i in range(len(cells))]
    return Features(
        values.double().cpu(),
        labels.cpu(),
        [info['path'] for info in infos],
        [info['img_path'] for info in infos],
        tuple(cells.metainfo['classes']),
        tuple(cells.metainfo['full_names']),
    )


def labelled(
    dataset: dict, split: Sequence[str], pipeline: list[dict] | None = None
) -> dict:
    """A data set's config with labels, of other parts."""
    other = dict(dataset, split=tuple(split), with_label=True)
    if pipeline is not None:
        other['pipeline'] = pipeline
    return other
