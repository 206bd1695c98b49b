"""Training curves of one or several runs."""

import json
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.known_scores import titles

from .canvas import mark, new_figure, note

_SCORES = ('accuracy', 'balanced_accuracy', 'macro_f1')
# What the log writes beside the losses and scores.
_NOT_DRAWN = {
    *('epoch', 'iter', 'step', 'time', 'data_time', 'memory', 'base_lr'),
    *('momentum', 'grad_norm_clip'),
}


def read_curves(folder: str | Path) -> dict[str, dict[int, float]]:
    """What a training logged, from the ``--work-dir`` of ``tools/train.py``.

    Of a run that was resumed, all records together; where two have the same
    step, the newer. By key, the value by step: iterations, but epochs for
    what was validated.

    Raises:
        InputError: There is no record in it, or it cannot be read.
    """
    folder = Path(folder)
    files = sorted(folder.glob('*/vis_data/scalars.json'))
    if not files:
        raise InputError(
            f'{folder} has no */vis_data/scalars.json: give the --work-dir of '
            'tools/train.py.'
        )
    curves: dict[str, dict[int, float]] = {}
    for file in files:
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
            except ValueError as error:
                if number == len(lines):  # a kill cut it short
                    continue
                raise InputError(
                    f'{file}, line {number}: no JSON ({error}). Remove the '
                    'line.'
                ) from error
            step = record.get('step')
            for key, value in record.items():
                if isinstance(value, int | float) and key not in _NOT_DRAWN:
                    curves.setdefault(key, {})[step] = value
    return curves


def curves_picture(
    runs: Mapping[str, dict[str, dict[int, float]]],
) -> Figure:
    """One panel a key, one line a run, of what :func:`read_curves` gives."""
    every = {key for curves in runs.values() for key in curves}
    # Of the validated ones, those over the classes; the rest in the log.
    keys = [k for k in ('loss', 'lr') if k in every]
    keys += sorted(k for k in every - {*keys} if '/' not in k)
    drawn = tuple(f'/{name}' for name in titles(_SCORES, 0))
    keys += [k for k in sorted(every) if k.endswith(drawn)]
    columns = min(3, len(keys))
    rows = -(-len(keys) // columns)
    figure = new_figure(4.6 * columns, 3 * rows + 0.5)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, key in zip(panels, keys, strict=False):
        for number, (name, curves) in enumerate(runs.items()):
            points = sorted(curves.get(key, {}).items())
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    color=mark(number)[0],
                    marker='o' if len(points) < 30 else None,
                    markersize=3,
                    label=name,
                )
        axes.set_title(key.replace('per_class/', 'validation: '), fontsize=10)
        axes.set_xlabel('epoch' if '/' in key else 'iteration', fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(color='0.9')
    for axes in panels[len(keys) :]:
        axes.remove()
    if len(runs) > 1:
        panels[0].legend(fontsize=8)
    note(figure, 'Training: ' + ', '.join(runs))
    return figure
