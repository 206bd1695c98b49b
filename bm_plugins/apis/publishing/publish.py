"""A trained checkpoint becomes a bundle."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from bm_plugins.apis.bundle.bundle import Bundle, Validation
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.compat.safe_loading import config_text, load
from bm_plugins.datasets import Matek
from bm_plugins.engine.features.features import some_of_each
from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.feature_distance import knn_distance
from bm_plugins.utils.config_text import parse_config

from .card import write_card
from .data_parts import Parts, make_parts
from .figures import bundle_figures, temperature_of
from .info import origin, prior_cautions, training_scale
from .network import fit_classifier, make_network
from .outputs import network_outputs
from .reference import make_reference
from .settings import Settings, read_settings
from .training import (
    EQUAL,
    NATURAL,
    Training,
    check_unseen,
    read_training,
)


def publish(
    cfg: Config,
    checkpoint: str | Path,
    calibration: str = 'val',
    per_class: int = 50,
    say: Callable[[str], None] = print,
    um_per_px: float | str | None = None,
) -> Bundle:
    """Make a bundle of a config and a checkpoint.

    Of a linear evaluation the classifier is fitted here, on the config's
    training parts without the calibration part. That of ``tools/test.py``,
    ``linear_probe.pth``, is fitted on train and val, as the paper's 80 %:
    calibrated on val it would count on being as right as it is on images it
    knows.

    Args:
        cfg (Config): Of a linear evaluation (``LinearProbeLoop``), for any
            pretraining with its backbone; or of the supervised training.
        checkpoint (str or Path): The .pth file.
        calibration (str): As for :func:`make_parts`. Defaults to ``'val'``.
        per_class (int): Training cells of a class that the bundle carries.
            Defaults to 50.
        say (Callable): Is told what goes on.
        um_per_px (float or str, optional): Of the training images. Defaults
            to None: as the manifest's stamp says.

    Returns:
        Bundle: Its ``digest`` is empty until it is written.

    Raises:
        InputError: Config, checkpoint and data do not fit each other, or the
            checkpoint was trained with labels of the calibration or the test
            part.
    """
    if per_class < 1:
        raise InputError(f'--per-class {per_class}: expected 1 or more.')
    init_default_scope('mmpretrain')
    settings = read_settings(cfg)
    state = load(str(checkpoint), 'cpu')
    parts = make_parts(settings, calibration)
    scale = training_scale(parts.train, um_per_px)
    classes = tuple(parts.test.metainfo['classes'])
    model = make_network(settings, state, classes, str(checkpoint))
    training = _training(cfg, settings, state, config_text(str(checkpoint)))
    del state
    seen = _check_seen(training, parts, checkpoint, calibration)

    def outputs(part: Matek, name: str, rows: list[int] | None = None):
        rows = range(len(part)) if rows is None else rows
        files = [part.get_data_info(row)['img_path'] for row in rows]
        say(f'{name}: {len(files)} images.')
        return network_outputs(
            model,
            files,
            CellReader(settings, part.bits),
            settings.batch_size,
            settings.num_workers,
            name,
        )

    rows = some_of_each(parts.train, per_class)
    l2 = None
    if settings.supervised:
        known = outputs(parts.train, 'Reference cells', rows)[0]
    else:
        features, _ = outputs(parts.train, 'Training part')
        known = features[rows]  # a copy; the fit overwrites them
        labels = torch.as_tensor(parts.train.get_gt_labels())
        say(
            'The classifier is fitted here, without the cells that calibrate '
            'it: that of tools/test.py may know them.'
        )
        l2 = fit_classifier(model, settings, features, labels, say).l2
        del features
    reference = make_reference(parts.train, rows, known)
    bank = reference.features.float()  # as it is in the bundle

    def measured(part: Matek, name: str) -> Validation:
        features, logits = outputs(part, name)
        labels = torch.as_tensor(part.get_gt_labels())
        return Validation(logits, labels, knn_distance(features, bank))

    validation = measured(parts.calibration, 'Calibration')
    prior = _prior(settings, training, parts)
    shares = np.array(prior['shares'])
    temperature, off = temperature_of(
        validation.logits, validation.labels, shares
    )
    test = measured(parts.test, 'Test part')
    figures = bundle_figures(validation, temperature, test, classes, shares)
    info = dict(
        origin(cfg, checkpoint, settings, training, parts, seen, l2),
        prior=prior,
        scale=scale and asdict(scale),
        reference=len(rows),
        per_class=per_class,
        figures=[asdict(figure) for figure in figures.values()],
    )
    info['prior']['agrees'] = not off
    info['cautions'] += prior_cautions(off, classes)
    full_names = tuple(parts.test.metainfo.get('full_names', classes))
    return Bundle(
        classes=classes,
        full_names=full_names,
        backbone=settings.model['backbone'],
        weights={k: v.cpu() for k, v in model.state_dict().items()},
        size=settings.size,
        interpolation=settings.interpolation,
        mean=settings.mean,
        std=settings.std,
        temperature=temperature,
        validation=validation,
        reference=reference,
        info=info,
        card=write_card(info, classes, full_names, temperature),
    )


def _prior(
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


def _training(
    cfg: Config, settings: Settings, state: dict, text: str
) -> Training:
    """By the checkpoint's own record; else a supervised config is believed."""
    try:
        classes = tuple(state['meta']['dataset_meta']['classes'])
    except (KeyError, TypeError):  # written by others
        classes = ()
    training = read_training(parse_config(text), classes)
    if training.dataset is None and settings.supervised:
        training = read_training(cfg.to_dict(), classes)
    return training


def _check_seen(
    training: Training, parts: Parts, checkpoint: str | Path, calibration: str
) -> tuple[int | None, int | None]:
    advice = 'Give a checkpoint that was trained without the test part.'
    test = check_unseen(
        training, parts.test, str(checkpoint), 'measured', advice
    )
    if calibration != 'test':
        advice = (
            'Train it anew with --cfg-options '
            'train_dataloader.dataset.split=train, or calibrate on half of '
            'the test part: --calibration test.'
        )
    held = check_unseen(
        training, parts.calibration, str(checkpoint), 'calibrated', advice
    )
    return held, test
