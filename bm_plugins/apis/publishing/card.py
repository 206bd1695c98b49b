"""The model card of a bundle."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bm_plugins.apis.bundle.cell_predictor import LIKE
from bm_plugins.datasets.scale import noted_scale
from bm_plugins.evaluation.functional.known_scores import titles

from .data_parts import MIN_CALIBRATION
from .figures import ERROR_RATE, MIN_SUPPORT

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
    scores = ('precision', 'recall', 'f1', 'coverage')
    by_class = [
        (code, name, [figures.get((score, code)) for score in scores])
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
