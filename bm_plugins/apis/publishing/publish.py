"""A trained checkpoint becomes a bundle."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from bm_plugins.apis.bundle.bundle import Bundle, Validation
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.compat.safe_loading import load
from bm_plugins.datasets import Matek
from bm_plugins.engine.features.features import some_of_each, some_rows
from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.feature_distance import knn_distance
from bm_plugins.models.backbones.tuned_timm_encoder import plain_config

from .card import origin, prior_cautions, write_card
from .data_parts import make_parts, training_scale
from .figures import bundle_figures, temperature_of
from .network import (
    fit_classifier,
    graph_of,
    make_network,
    make_reference,
    network_outputs,
)
from .settings import read_settings
from .training import check_unseen, prior_of, training_of

# Calibration images of a class whose features a bundle keeps; 8 MiB of 21
# classes with 2,048 features.
_KEPT = 100


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
    checkpoint = str(checkpoint)
    settings = read_settings(cfg)
    state = load(checkpoint, 'cpu')
    parts = make_parts(settings, calibration)
    scale = training_scale(parts.train, um_per_px)
    classes = tuple(parts.test.metainfo['classes'])
    model = make_network(settings, state, classes, checkpoint)
    training = training_of(cfg, settings, state, checkpoint)
    del state
    seen = check_unseen(training, parts, checkpoint, calibration)
    prior = prior_of(settings, training, parts)

    def outputs(part: Matek, name: str, rows: list[int] | None = None):
        rows = range(len(part)) if rows is None else rows
        files = [part.get_data_info(row)['img_path'] for row in rows]
        say(f'{name}: {len(files)} images.')
        reader = CellReader(settings, part.bits)
        sizes = settings.batch_size, settings.num_workers
        return network_outputs(model, files, reader, *sizes, name)

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

    def measured(part: Matek, name: str, kept: int = 0) -> Validation:
        features, logits = outputs(part, name)
        labels = np.asarray(part.get_gt_labels())
        distances = knn_distance(features.numpy(), reference.features)
        rows = np.array(some_rows(labels, kept), int)
        some = features[rows].half().numpy()
        return Validation(logits.numpy(), labels, distances, some, rows)

    validation = measured(parts.calibration, 'Calibration', _KEPT)
    test = measured(parts.test, 'Test part')
    shares = np.array(prior['shares'])
    temperature, off = temperature_of(
        validation.logits, validation.labels, shares
    )
    figures = bundle_figures(validation, temperature, test, classes, shares)
    info = dict(
        origin(cfg, checkpoint, settings, training, parts, seen, l2),
        prior=dict(prior, agrees=not off),
        scale=scale and asdict(scale),
        reference=len(rows),
        per_class=per_class,
        figures=[asdict(figure) for figure in figures.values()],
    )
    info['cautions'] += prior_cautions(off, classes)
    full_names = tuple(parts.test.metainfo.get('full_names', classes))
    bundle = Bundle(
        classes=classes,
        full_names=full_names,
        backbone=plain_config(settings.model['backbone']),
        weights={
            k: v.cpu().numpy().copy() for k, v in model.state_dict().items()
        },
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
    return replace(bundle, graph=graph_of(bundle, say))
