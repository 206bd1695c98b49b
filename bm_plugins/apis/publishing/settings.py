"""What of a config goes into a bundle, and what cannot."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmpretrain.registry import TRANSFORMS

from bm_plugins import plugins  # noqa: F401
from bm_plugins.apis.bundle.bundle_model import LOADERS, check_backbone
from bm_plugins.errors import InputError
from bm_plugins.evaluation.linear.objective import check_class_weight

_PREPROCESSORS = (None, 'ClsDataPreprocessor', 'SyncFreeDataPreprocessor')
_PIPELINE = ['LoadCellImage', 'Resize', 'PackInputs']


@dataclass(frozen=True)
class Settings:
    """What a config says of a published model.

    Attributes:
        supervised (bool): The checkpoint has the classifier; else one is
            fitted.
        model (dict): Config of the classifier, without weights to load.
        size (tuple[int, int]): As in :class:`Bundle`, and the following.
        interpolation (str): How images are resized.
        mean (tuple[float, ...]): Of red, green and blue.
        std (tuple[float, ...]): Of red, green and blue.
        train (dict): Config of the data set with the training part.
        test (dict): Config of the data set with the test part.
        batch_size (int): Images at once.
        num_workers (int): Processes that read them.
        l2 (tuple[float, ...] or None): Grid of the classifier's
            regularisation; None for the usual one.
        folds (int): Of its cross-validation.
        class_weight (str or None): Of its loss, as for
            :func:`fit_linear_probe`.
    """

    supervised: bool
    model: dict
    size: tuple[int, int]
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: dict
    test: dict
    batch_size: int
    num_workers: int
    l2: tuple[float, ...] | None
    folds: int
    class_weight: str | None


def read_settings(cfg: Config) -> Settings:
    """Take from a config what a bundle needs.

    Args:
        cfg (Config): Of a linear evaluation or of a supervised training.

    Raises:
        InputError: It is neither, or holds something that a bundle cannot
            reproduce; the message names it.
    """
    model = cfg.get('model', Config()).to_dict()
    _check_model(model)
    if 'test_dataloader' not in cfg:
        raise InputError(
            f'{_name(cfg)} has no test_dataloader: give a linear_*.py config, '
            'or that of a supervised training.'
        )
    probe = cfg.get('test_cfg') or {}
    supervised = probe.get('type') != 'LinearProbeLoop'
    trained = cfg if supervised else probe
    if 'train_dataloader' not in trained:
        raise InputError(
            f'{_name(cfg)} has no train_dataloader: give a linear_*.py '
            'config, or that of a supervised training.'
        )
    train = trained['train_dataloader']['dataset'].to_dict()
    loader = cfg.test_dataloader
    test = loader.dataset.to_dict()
    for key, dataset in (('train', train), ('test', test)):
        if dataset.get('type') != 'Matek':
            raise InputError(
                f'{_name(cfg)}: the {key} part is a {dataset.get("type")}; '
                "expected dataset.type='Matek', which names its images."
            )
    size, interpolation = _read_pipeline(test.get('pipeline') or ())
    if not supervised and train.get('pipeline') != test.get('pipeline'):
        raise InputError(
            f'{_name(cfg)}: test_cfg.train_dataloader.dataset.pipeline is not '
            "test_dataloader's: give both the same."
        )
    mean, std = _read_normalisation(
        model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    )
    class_weight = probe.get('class_weight', 'balanced')
    check_class_weight(class_weight)
    return Settings(
        supervised=supervised,
        model=dict(model, data_preprocessor=None),
        size=size,
        interpolation=interpolation,
        mean=mean,
        std=std,
        train=train,
        test=test,
        batch_size=loader.get('batch_size', 64),
        num_workers=loader.get('num_workers', 0),
        l2=tuple(probe['l2']) if probe.get('l2') else None,
        folds=probe.get('folds', 5),
        class_weight=class_weight,
    )


def _name(cfg: Config) -> str:
    return f'config {cfg.filename}' if cfg.filename else 'the config'


def _check_model(model: dict) -> None:
    """Backbone, average pooling, linear classifier: nothing else fits."""
    head = (model.get('head') or {}).get('type')
    if model.get('type') != 'ImageClassifier' or head != 'LinearClsHead':
        raise InputError(
            f'a bundle has a linear classifier; model.type is '
            f'{model.get("type")!r} with the head {head!r}, expected '
            "'ImageClassifier' with 'LinearClsHead'. Of a pretraining give "
            'the linear_*.py config of its backbone.'
        )
    neck = (model.get('neck') or {}).get('type')
    if neck not in (None, 'GlobalAveragePooling'):
        raise InputError(
            f'model.neck.type is {neck!r}, which a bundle has not: expected '
            "'GlobalAveragePooling', or none."
        )
    # Weights come from the checkpoint.
    model['backbone'] = json.loads(
        json.dumps(
            {k: v for k, v in model['backbone'].items() if k not in LOADERS}
        )
    )
    try:
        check_backbone(model['backbone'])
    except InputError as error:
        raise InputError(
            f'model.{error} A bundle opens anywhere with nothing but '
            'mmpretrain and this project: give such a backbone in the config.'
        ) from error


def _read_pipeline(pipeline: Sequence[dict]) -> tuple[tuple[int, int], str]:
    names = [step.get('type') for step in pipeline]
    others = [name for name in names if name not in _PIPELINE]
    if names != _PIPELINE:
        wrong = f'{others[0]} is not supported' if others else ', '.join(names)
        raise InputError(
            f'test_dataloader.dataset.pipeline: {wrong}; a bundle reads '
            f'images by {", ".join(_PIPELINE)}, in this order. Evaluate the '
            'model with such a pipeline.'
        )
    resize = TRANSFORMS.build(dict(pipeline[1]))
    if resize.scale is None or resize.keep_ratio or resize.backend != 'cv2':
        raise InputError(
            'test_dataloader.dataset.pipeline: Resize with '
            'scale_factor, keep_ratio or another backend than cv2 is not '
            'supported; give it scale=(width, height) alone.'
        )
    return tuple(map(int, resize.scale)), resize.interpolation


def _read_normalisation(
    config: dict[str, Any],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    kind = config.get('type')
    if kind not in _PREPROCESSORS:
        wrong = f'type={kind!r}'
    elif not config.get('to_rgb'):
        wrong = 'to_rgb=False'
    elif config.get('pad_size_divisor', 1) != 1:
        wrong = 'pad_size_divisor'
    else:
        mean, std = config.get('mean'), config.get('std')
        if mean is None:
            return (0.0,) * 3, (1.0,) * 3
        return tuple(map(float, mean)), tuple(map(float, std))
    raise InputError(
        f'data_preprocessor: {wrong} is not supported in a bundle; expected '
        'SyncFreeDataPreprocessor with to_rgb=True, mean and std.'
    )
