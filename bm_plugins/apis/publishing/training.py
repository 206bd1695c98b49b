"""What a checkpoint was trained on, as far as it says so."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from bm_plugins.compat.safe_loading import config_text
from bm_plugins.datasets import Matek
from bm_plugins.datasets.layout import find_image_folder
from bm_plugins.datasets.manifest import read_manifest
from bm_plugins.datasets.splits.parts_of_fold import (
    parse_fold,
    parse_split,
    parts_of,
    rows_of,
)
from bm_plugins.errors import InputError
from bm_plugins.models.losses.weighted_cross_entropy import class_weights
from bm_plugins.utils.config_text import parse_config

from .data_parts import Parts
from .figures import EQUAL, NATURAL
from .settings import Settings


@dataclass(frozen=True)
class Training:
    """The training of a checkpoint.

    Attributes:
        method (str): The model's type, as ``SwAV``; empty: unknown.
        labels (bool or None): Whether it read labels; None: unknown.
        dataset (dict or None): Config of its data set; None: unknown.
        classes (tuple[str, ...]): Codes of its classes; empty: unknown.
        started_from (str): Name of the weights it started from; empty: none,
            or unknown.
        chosen_on (str): The part by whose scores its epoch was chosen; empty:
            none, or unknown.
        sampler (str): Type of its sampler; empty: unknown.
        loss (dict): Config of a loss to which classes count differently;
            empty: none, or unknown.
    """

    method: str = ''
    labels: bool | None = None
    dataset: dict | None = None
    classes: tuple[str, ...] = ()
    started_from: str = ''
    chosen_on: str = ''
    sampler: str = ''
    loss: dict = field(default_factory=dict)

    @property
    def parts(self) -> str:
        """The parts that it saw, as ``train+val``; or ``unknown``."""
        if self.dataset is None:
            return 'unknown'
        return '+'.join(_parts(self.dataset))

    def shares(self, counts: np.ndarray) -> tuple[np.ndarray, str]:
        """Shares of the classes that a classifier of it was fitted for.

        A class counts as often as it is drawn, times its weight in the loss;
        for :class:`.LogitAdjustedLoss` over its share to the power of tau.

        Args:
            counts (np.ndarray): Training images (C,).

        Returns:
            tuple[np.ndarray, str]: Shares (C,), and what they are, in words.

        Raises:
            InputError: The loss has weights of another number of classes, or
                what are none.
        """
        balanced = self.sampler == 'ClassBalancedSampler'
        drawn = (counts > 0) if balanced else counts
        text = EQUAL if balanced else NATURAL
        rule = self.loss.get('class_weight', 'inverse_frequency')
        if self.loss.get('type') == 'LogitAdjustedLoss':
            tau = float(self.loss.get('tau', 1))
            drawn = drawn / np.where(counts > 0, counts, 1.0) ** tau
            text += f', over its share to the power of {tau:g} (the loss)'
        elif self.loss and rule:
            weights = rule
            if isinstance(rule, str):
                beta = self.loss.get('beta', 0.9999)
                weights = class_weights(counts, rule, beta)
            drawn = drawn * _weights(weights, len(counts))
            text += ', times its weight in the loss'
        if not balanced and self.sampler != 'DefaultSampler':
            text += ' (taken so: how its images were drawn is not known)'
        return drawn / drawn.sum(), text


def read_training(
    config: Mapping[str, Any], classes: tuple[str, ...] = ()
) -> Training:
    """What a config says of the training by it.

    Args:
        config (Mapping[str, Any]): By :func:`parse_config` from a checkpoint,
            of which nothing is certain; or a config.
        classes (tuple[str, ...]): Codes of the classes it was trained on.

    Returns:
        Training: Unknown where the config has no training on a
        :class:`Matek`, or is not as configs are.
    """
    try:
        loader = config['train_dataloader']
        dataset = dict(loader['dataset'])
        if dataset['type'] != 'Matek':
            return Training()
        _parts(dataset)
        parse_fold(dataset.get('fold'))
        Path(dataset['data_root'], dataset.get('ann_file', 'split.csv'))
        hooks = config.get('default_hooks') or {}
        chosen_on = ''
        if (hooks.get('checkpoint') or {}).get('save_best'):
            chosen_on = '+'.join(_parts(config['val_dataloader']['dataset']))
        return Training(
            method=str(config['model']['type']),
            labels=bool(dataset.get('with_label', True)),
            dataset=dataset,
            classes=classes,
            started_from=os.path.basename(str(config.get('load_from') or '')),
            chosen_on=chosen_on,
            sampler=str((loader.get('sampler') or {}).get('type', '')),
            loss=_weighted_loss(config['model']),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return Training()


def training_of(
    cfg: Config, settings: Settings, state: dict, checkpoint: str
) -> Training:
    """By the checkpoint's own record; else a supervised config is believed.

    Args:
        cfg (Config): To publish by.
        settings (Settings): Of the config.
        state (dict): The checkpoint.
        checkpoint (str): Its file.
    """
    try:
        classes = tuple(state['meta']['dataset_meta']['classes'])
    except (KeyError, TypeError):  # written by others
        classes = ()
    training = read_training(parse_config(config_text(checkpoint)), classes)
    if training.dataset is None and settings.supervised:
        training = read_training(cfg.to_dict(), classes)
    return training


def count_seen(training: Training, dataset: Matek) -> int | None:
    """How many images of a data set the training saw.

    By its manifest; where that is no longer there, by the data set's, which
    then counts as the same.

    Args:
        training (Training): Of the checkpoint.
        dataset (Matek): Images to calibrate or measure on.

    Returns:
        int or None: The number; None where it is unknown.
    """
    if training.dataset is None:
        return None
    said = training.dataset
    root = Path(said['data_root']).expanduser()
    manifest = root / said.get('ann_file', 'split.csv')
    folder = Path(dataset.img_prefix)
    if manifest.is_file():
        prefix = said.get('data_prefix')
        folder = root / prefix if prefix else find_image_folder(root)
    elif {*training.classes} - {*dataset.metainfo['classes']}:
        return None  # another collection
    else:
        manifest = Path(dataset.ann_file)
    try:
        share = float(said.get('fraction', 1))
        paths, labels, splits, folds = read_manifest(
            manifest, share < 1, folder
        )
        parts = parts_of(splits, folds, parse_fold(said.get('fold')), manifest)
        rows = rows_of(parts, _parts(said), paths, labels, share)
    except (InputError, TypeError, ValueError):
        return None  # not as it was then
    seen = {os.path.realpath(folder / paths[row]) for row in rows}
    files = (
        item['img_path']
        for item in map(dataset.get_data_info, range(len(dataset)))
    )
    return sum(os.path.realpath(file) in seen for file in files)


def check_unseen(
    training: Training, parts: Parts, checkpoint: str, calibration: str
) -> tuple[int | None, int | None]:
    """Refuse images whose labels the training saw.

    Args:
        training (Training): Of the checkpoint.
        parts (Parts): Images to calibrate and to measure on.
        checkpoint (str): Its file, for the error.
        calibration (str): As for :func:`make_parts`.

    Returns:
        tuple[int or None, int or None]: :func:`count_seen` of the calibration
        and of the test images; more than 0 only where the training read no
        labels.

    Raises:
        InputError: It read labels, and saw some of the images.
    """
    other = 'Give a checkpoint that was trained without the test part.'
    anew = (
        'Train it anew with --cfg-options '
        'train_dataloader.dataset.split=train, or calibrate on half of the '
        'test part: --calibration test.'
    )
    advice = other if calibration == 'test' else anew
    found = []
    for part, use, what in (
        (parts.test, 'measured', other),
        (parts.calibration, 'calibrated', advice),
    ):
        seen = count_seen(training, part)
        if seen and training.labels:
            raise InputError(
                f'checkpoint {checkpoint} was trained ({training.method}) '
                f'with the labels of {seen} of the {len(part)} '
                f'{"/".join(part.split)} images on which it is to be {use} '
                f"(its training's train_dataloader.dataset.split is "
                f'{training.parts}), which would look too good. {what}'
            )
        found.append(seen)
    test, held = found
    return held, test


def prior_of(
    settings: Settings, training: Training, parts: Parts
) -> dict[str, Any]:
    """Shares that the classifier was fitted for, and those it was tried on."""
    number = len(parts.train.metainfo['classes'])
    counts, held = (
        np.bincount(part.get_gt_labels(), minlength=number)
        for part in (parts.train, parts.calibration)
    )
    if settings.supervised:
        shares, text = training.shares(counts)
    elif settings.class_weight is None:
        shares, text = counts / counts.sum(), NATURAL
    else:
        shares, text = (counts > 0) / (counts > 0).sum(), EQUAL
    calibration = (held / held.sum()).tolist()
    return dict(shares=shares.tolist(), text=text, calibration=calibration)


def _weights(given: object, number: int) -> np.ndarray:
    try:
        weights = np.asarray(given, float)
    except (TypeError, ValueError):
        weights = np.empty(0)
    if weights.shape != (number,):
        found = weights.size if weights.ndim == 1 and weights.size else given
        raise InputError(
            f'model.head.loss.class_weight: expected {number} numbers, one '
            f'for each class of the data set, found {found}. Give the config '
            'that was trained, and its own class_set.'
        )
    return weights


def _weighted_loss(model: Mapping[str, Any]) -> dict:
    loss = (model.get('head') or {}).get('loss') or {}
    kinds = ('WeightedCrossEntropyLoss', 'LogitAdjustedLoss')
    return dict(loss) if loss.get('type') in kinds else {}


def _parts(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    return parse_split(dataset.get('split', 'train'), 1, True)
