"""Where a bundle comes from: its record, and its model card."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from bm_plugins.apis.bundle.cell_predictor import LIKE
from bm_plugins.datasets.scale import noted_scale
from bm_plugins.datasets.synthetic.collection import MARKER
from bm_plugins.evaluation.functional.known_scores import titles
from bm_plugins.utils.environment import machine
from bm_plugins.utils.run_manifest import code_version, file_facts

from .figures import ERROR_RATE, MIN_CALIBRATION, MIN_SUPPORT

if TYPE_CHECKING:  # slow to import
    from mmengine.config import Config

    from .data_parts import Parts
    from .settings import Settings
    from .training import Training

_ROWS = (
    ('accuracy', 'accuracy'),
    ('balanced_accuracy', 'balanced accuracy'),
    ('macro_f1', 'macro F1'),
    ('macro_f1_min_support', f'macro F1, classes of {MIN_SUPPORT} or more'),
    ('calibration_error', "calibration error at this part's mixture"),
    ('coverage', 'sets that hold the true class'),
    ('one_class', 'sets of just one class'),
    ('unlike', 'cells flagged as unlike the known ones'),
)
_VERSIONS = ('torch', 'torchvision', 'mmengine', 'mmpretrain', 'numpy')


def origin(
    cfg: 'Config',
    checkpoint: str | Path,
    settings: 'Settings',
    training: 'Training',
    parts: 'Parts',
    seen: tuple[int | None, int | None],
    l2: float | None,
) -> dict[str, Any]:
    """What a bundle is made of; JSON values, no absolute path.

    Args:
        cfg (Config): The config, options included.
        checkpoint (str or Path): Its file.
        settings (Settings): Of the config.
        training (Training): Of the checkpoint.
        parts (Parts): The images.
        seen (tuple): How many of the calibration and of the test images the
            training saw without labels; None: unknown.
        l2 (float, optional): The fitted classifier's regularisation; None:
            the checkpoint had the classifier.

    Returns:
        dict[str, Any]: ``method``, ``config`` and ``checkpoint`` with their
        SHA-256, ``code``, ``versions``, ``counts`` (training, calibration and
        test images by class) and what the card says in words.
    """
    codes = parts.test.metainfo['classes']
    sizes = [
        np.bincount(part.get_gt_labels(), minlength=len(codes))
        for part in (parts.train, parts.calibration, parts.test)
    ]
    versions = machine()['versions']
    return dict(
        method='Supervised classifier'
        if settings.supervised
        else f'{_named(training)} features with a linear classifier',
        supervised=settings.supervised,
        backbone=_backbone(settings.model['backbone']),
        size=list(settings.size),
        config=Path(cfg.filename or 'config.py').name,
        config_sha256=sha256(cfg.pretty_text.encode()).hexdigest(),
        checkpoint=Path(checkpoint).name,
        checkpoint_sha256=file_facts([checkpoint])[0]['sha256'],
        manifest_sha256=file_facts([parts.test.ann_file])[0]['sha256'],
        synthetic=_synthetic(parts),
        protocol=parts.test.metainfo['protocol'],
        code=code_version(),
        versions={name: versions[name] for name in _VERSIONS},
        training=dict(
            method=training.method or 'unknown',
            labels=training.labels,
            parts=training.parts,
            started_from=training.started_from,
            chosen_on=training.chosen_on,
            calibration_images_seen=seen[0],
            test_images_seen=seen[1],
        ),
        training_text=_training_text(training, parts, seen),
        classifier_text=_classifier_text(parts, settings, l2),
        l2=l2,
        calibration_text=parts.calibration_text,
        test_text=parts.test_text,
        counts={
            code: [int(size[number]) for size in sizes]
            for number, code in enumerate(codes)
        },
        totals=[int(size.sum()) for size in sizes],
        untrained=[c for c, n in zip(codes, sizes[0], strict=True) if not n],
        unmeasured=[c for c, n in zip(codes, sizes[2], strict=True) if not n],
        cautions=_cautions(training, parts, seen),
    )


def prior_cautions(
    off: Mapping[int, tuple[float, int]], codes: Sequence[str]
) -> list[str]:
    """What to say where the classifier's prior is not that of its outputs.

    Args:
        off (Mapping[int, tuple[float, int]]): Class -> sum of its
            probabilities on the calibration images, and their number.
        codes (Sequence[str]): Of the classes (C,).
    """
    if not off:
        return []
    each = ', '.join(
        f'{codes[i]}: {sum_:.0f} for {count}'
        for i, (sum_, count) in off.items()
    )
    return [
        'By its probabilities the classifier expects other numbers of '
        f'calibration images than there are ({each}). The shares for which '
        'it was fitted may not be those above, or its probabilities are not '
        'right by class; the estimated percentages allow for it, the '
        'confidence of a cell does not.'
    ]


def write_card(
    info: dict[str, Any],
    classes: tuple[str, ...],
    full_names: tuple[str, ...],
    temperature: float,
) -> str:
    """What the model is, what it is for, and what was measured of it.

    Mitchell et al. 2019, "Model Cards for Model Reporting"
    (arXiv:1810.03993), section 4.

    Args:
        info (dict): As :func:`bm_plugins.publish` makes it.
        classes (tuple[str, ...]): Codes (C,).
        full_names (tuple[str, ...]): Names (C,).
        temperature (float): Of the calibrated probabilities.

    Returns:
        str: Markdown.
    """
    figures = {(f['score'], f['of']): f for f in info['figures']}
    over_test = [
        (title, figures[score, 'all'])
        for score, title in (*_ROWS, *titles((), MIN_SUPPORT).items())
        if (score, 'all') in figures
    ]
    scores = ('precision', 'recall', 'f1')
    refits = info.get('refits', ())
    if refits:  # before and after
        before = {(f['score'], f['of']): f for f in refits[-1]['before']}
        columns = [(part, s) for s in scores for part in (before, figures)]
    else:
        columns = [(figures, score) for score in (*scores, 'coverage')]
    by_class = [
        (code, name, [part.get((score, code)) for part, score in columns])
        for code, name in zip(classes, full_names, strict=True)
    ]
    environment = Environment(
        loader=PackageLoader('bm_plugins.apis.publishing', '.'),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(cell=_cell, figure=_figure)
    return environment.get_template('card.md.j2').render(
        info=info,
        refits=refits,
        scale=noted_scale(info) or 'size and scale not known',
        over_test=over_test,
        by_class=by_class,
        temperature=temperature,
        error_rate=ERROR_RATE,
        unlike_rate=f'{1 - LIKE:g}',
        min_support=MIN_SUPPORT,
        min_calibration=MIN_CALIBRATION,
        unpromised=[
            code
            for code in classes
            if info['counts'][code][1] < MIN_CALIBRATION
        ],
    )


def _synthetic(parts: 'Parts') -> str:
    """A warning where tools/make_synthetic_marrow.py drew the cells."""
    uses = [
        use
        for use, part in (('trained', parts.train), ('measured', parts.test))
        if Path(part.data_root, MARKER).is_file()
    ]
    if not uses:
        return ''
    what = (
        'what it says of real ones means nothing'
        if 'trained' in uses
        else 'its figures say nothing of real ones'
    )
    return f'The model was {" and ".join(uses)} on synthetic cells: {what}.'


def _named(training: 'Training') -> str:
    names = {'ImageClassifier': 'Supervised', '': 'Pretrained'}
    return names.get(training.method, training.method)


def _backbone(config: dict[str, Any]) -> str:
    simple = (bool, int, float, str)
    rest = ', '.join(
        f'{key}={value}'
        for key, value in config.items()
        if key != 'type' and isinstance(value, simple)
    )
    return f'{config["type"]}({rest})'


def _training_text(
    training: 'Training', parts: 'Parts', seen: tuple[int | None, int | None]
) -> str:
    if training.dataset is None:
        return (
            'the checkpoint does not say what it was trained on, nor whether '
            'with labels: unknown.'
        )
    how = 'with labels' if training.labels else 'without labels'
    where = Path(training.dataset['data_root']).name
    text = f'{_named(training)}, trained {how} on {training.parts} of {where}.'
    if training.labels is False and (seen[0] or seen[1]):
        text += (
            f' Of the {len(parts.calibration)} calibration images it saw '
            f'{seen[0]}, of the {len(parts.test)} test images {seen[1]}, '
            'none with its label.'
        )
    if training.started_from:
        text += (
            f' It started from the weights {training.started_from}, whose '
            'own training is not recorded here.'
        )
    if training.chosen_on:
        text += (
            ' Its epoch was chosen by the scores on the part '
            f'{training.chosen_on}.'
        )
    return text


def _classifier_text(
    parts: 'Parts', settings: 'Settings', l2: float | None
) -> str:
    if l2 is None:
        return "the checkpoint's, trained with the backbone."
    kind = 'class-balanced' if settings.class_weight else 'unweighted'
    return (
        f'fitted by {kind} cross-entropy to {len(parts.train)} images of '
        f'{"+".join(parts.train.split)}, L2 {l2:g} by cross-validation among '
        'them.'
    )


def _cautions(
    training: 'Training', parts: 'Parts', seen: tuple[int | None, int | None]
) -> list[str]:
    cautions = []
    if None in seen and training.labels is not False:
        cautions.append(
            'Whether the training of the checkpoint saw the labels of '
            'calibration or test images is unknown; if it did, the figures '
            'and probabilities below are too good.'
        )
    if training.labels is False and seen[0]:
        cautions.append(
            f'The pretraining saw {seen[0]} of the calibration images, '
            'without labels. New cells may lie farther from what it knows, so '
            'that sets of classes and the flag of unlike cells may keep their '
            'rates on the test part alone. Pretrained with --cfg-options '
            'train_dataloader.dataset.split=train it sees none.'
        )
    if training.started_from:
        cautions.append(
            f'What the weights {training.started_from}, from which training '
            'started, had seen is unknown.'
        )
    if set(parts.calibration.split) & {*training.chosen_on.split('+')}:
        cautions.append(
            'The epoch was chosen by the labels of the calibration part, '
            'which makes the probabilities slightly too sure of themselves.'
        )
    if len(parts.calibration) < LIKE / (1 - LIKE):
        cautions.append(
            f'{len(parts.calibration)} calibration images are too few to '
            'flag cells as unlike the known ones: none ever is.'
        )
    return cautions


def _cell(text: Any) -> str:
    """Text within a row of a Markdown table, which markup cannot leave."""
    plain = ' '.join(str(text).split())
    for letter in '\\`|<>[]*':
        plain = plain.replace(letter, f'\\{letter}')
    return plain


def _figure(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return '–'
    return '{value:.3f} [{low:.3f}, {high:.3f}]'.format(**figure)
