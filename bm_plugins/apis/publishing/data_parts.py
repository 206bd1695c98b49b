"""The images that a bundle is made from and measured on."""

from dataclasses import dataclass, replace

import numpy as np

from bm_plugins.datasets import Matek
from bm_plugins.datasets.manifest import read_manifest, read_stamp
from bm_plugins.datasets.scale import (
    Scale,
    measure_scale,
    noted_scale,
    parse_um_per_px,
)
from bm_plugins.datasets.splits.parts_of_fold import parse_split, parts_of
from bm_plugins.errors import InputError

from .figures import MIN_CALIBRATION
from .settings import Settings

_OR_TEST = 'or calibrate on half of the test part: --calibration test.'


@dataclass(frozen=True)
class Parts:
    """Three sets of labelled images without a common one.

    Attributes:
        train (Matek): For the classifier and the reference cells.
        calibration (Matek): For temperature and thresholds.
        test (Matek): For the figures.
        calibration_text (str): What ``calibration`` is.
        test_text (str): What ``test`` is.
    """

    train: Matek
    calibration: Matek
    test: Matek
    calibration_text: str
    test_text: str


def make_parts(settings: Settings, calibration: str = 'val') -> Parts:
    """Load the three parts.

    Args:
        settings (Settings): Their data sets.
        calibration (str): ``val``: the val part calibrates and is left out of
            training, the test part is measured. ``test``: of each class half
            of the test images calibrate, and the other half are measured, for
            models that were trained on the val part too. Defaults to
            ``'val'``.

    Raises:
        InputError: A part is missing, empty or too small, has other classes
            than another, or is trained on.
    """
    test = _dataset(settings.test, 'test')
    classes = test.metainfo['classes']
    number = settings.model['head']['num_classes']
    if len(classes) != number:
        raise InputError(
            f'model.head.num_classes is {number}, but the data set has '
            f'{len(classes)} classes: set both to the same.'
        )
    if calibration == 'test':
        held, test = _halves(settings.test, test)
        texts = ('half of the test part', 'the other half of the test part')
    else:
        _check_there(test, calibration)
        held = _dataset(settings.test, calibration)
        texts = (f'{calibration} part', 'test part')
    if len(held) < MIN_CALIBRATION:
        raise InputError(
            f'{texts[0]} of {test.ann_file}: {len(held)} images; calibration '
            f'needs {MIN_CALIBRATION} or more. Write a manifest with more '
            '(tools/prepare_matek.py --val-fraction, --test-fraction)'
            + ('.' if calibration == 'test' else f', {_OR_TEST}')
        )
    split = parse_split(settings.train.get('split', 'train'), 1, True)
    if 'test' in split:
        raise InputError(
            "the config's training part includes the test part "
            f'(split={"+".join(split)}), so that nothing could be measured. '
            'Leave it out.'
        )
    split = tuple(part for part in split if part != calibration)
    if not split:
        raise InputError(
            f"the config's training part is {calibration} alone, which is "
            'to calibrate. Train on the train part.'
        )
    train = _dataset(settings.train, split)
    if train.metainfo['classes'] != classes:
        raise InputError(
            'the training part has the classes '
            f'{" ".join(train.metainfo["classes"])}, the test part '
            f'{" ".join(classes)}: give both data sets the same metainfo.'
        )
    return Parts(train, held, test, *texts)


def training_scale(
    part: Matek, um_per_px: float | str | None = None
) -> Scale | None:
    """Size and µm per pixel of a collection's images.

    Args:
        part (Matek): Some of its images.
        um_per_px (float or str, optional): What a person says. Defaults to
            None: what the manifest's stamp says; of an earlier version's,
            which says nothing, some 2,000 of the images themselves.

    Returns:
        Scale or None: None where no image can be read.

    Raises:
        InputError: It is no scale of a microscope.
    """
    given = parse_um_per_px(um_per_px, same=False)
    scale = noted_scale(read_stamp(part.ann_file))
    if scale is None:
        rows = range(0, len(part), -(-len(part) // 2000))
        files = [part.get_data_info(row)['img_path'] for row in rows]
        return measure_scale(files, given)
    return replace(scale, um_per_px=given or scale.um_per_px)


def _dataset(config: dict, split: str | tuple[str, ...], **more) -> Matek:
    # Images are read by the bundle's own reader, not by a pipeline.
    own = dict(split=split, with_label=True, pipeline=[], cache=None)
    # No process shares them, so that packing them would only take time.
    own |= dict(on_unreadable='stop', serialize_data=False)
    rest = {key: value for key, value in config.items() if key != 'type'}
    return Matek(**{**rest, **own, **more})


def _halves(config: dict, test: Matek) -> tuple[Matek, Matek]:
    """Half of each class's images, by name, and the others."""
    half = _dataset(config, 'test', fraction=0.5)
    taken = {half.get_data_info(i)['path'] for i in range(len(half))}
    rest = [
        i
        for i in range(len(test))
        if test.get_data_info(i)['path'] not in taken
    ]
    if not rest:
        raise InputError(
            f'the test part of {test.ann_file} has too few images to '
            'calibrate on half of them. Write a manifest with a val part.'
        )
    return half, test.get_subset(np.array(rest).tolist())


def _check_there(test: Matek, part: str) -> None:
    _, _, splits, folds = read_manifest(test.ann_file)
    if part not in parts_of(splits, folds, test.fold, test.ann_file):
        raise InputError(
            f'{test.ann_file}: no image in part {part}, which is to '
            'calibrate. Write the manifest anew by tools/prepare_matek.py '
            f'--val-fraction, {_OR_TEST}'
        )
