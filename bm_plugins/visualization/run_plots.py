"""Pictures of one tested run."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from bm_plugins.evaluation.functional.calibration import (
    apply_temperature,
    debiased_calibration_error,
    reliability,
)
from bm_plugins.evaluation.functional.confusion import confusion_matrix
from bm_plugins.evaluation.functional.intervals import wilson
from bm_plugins.report.runs.run_folder import Run
from bm_plugins.utils.files import make_folder

from .canvas import BLUE, ORANGE, new_figure, note, save, title


def run_pictures(
    run: Run,
    out: Path,
    min_support: int = 10,
    temperature: float | None = None,
) -> list[Path]:
    """Write all pictures of a run.

    Args:
        run (Run): The run.
        out (Path): Gets ``confusion_matrix.png``, ``per_class.png`` and
            ``reliability.png``.
        min_support (int): Classes with fewer test images are drawn pale.
        temperature (float, optional): Of a second reliability diagram.
    """
    make_folder(out)
    pictures = {
        'confusion_matrix': confusion_picture(run),
        'per_class': per_class_picture(run, min_support),
        'reliability': reliability_picture(run, temperature),
    }
    files = []
    for name, figure in pictures.items():
        files.append(out / f'{name}.png')
        save(figure, files[-1])
    return files


def confusion_picture(run: Run) -> Figure:
    """Counts in the cells, coloured by share of the true class."""
    count = len(run.codes)
    matrix = confusion_matrix(run.labels, run.predictions, count)
    support = matrix.sum(1)
    share = matrix / np.maximum(support, 1)[:, None]
    side = 2.5 + 0.42 * count
    figure = new_figure(side + 2, side + 0.6)
    axes = figure.add_subplot()
    image = axes.imshow(share, cmap='Blues', vmin=0, vmax=1)
    for row, column in zip(*matrix.nonzero(), strict=True):
        axes.text(
            column,
            row,
            f'{matrix[row, column]}',
            ha='center',
            va='center',
            fontsize=7,
            color='white' if share[row, column] > 0.55 else 'black',
        )
    for row in np.flatnonzero(support == 0):
        axes.axhspan(row - 0.5, row + 0.5, color='0.93', zorder=0.5)
    names = zip(run.codes, run.names, support, strict=True)
    axes.set_yticks(
        range(count),
        [f'{title(code, name)}, {n}' for code, name, n in names],
        fontsize=8,
    )
    axes.set_xticks(range(count), run.codes, fontsize=8, rotation=90)
    axes.set_xticks(np.arange(count) - 0.5, minor=True)
    axes.set_yticks(np.arange(count) - 0.5, minor=True)
    axes.grid(which='minor', color='0.85', linewidth=0.5)
    axes.tick_params(which='minor', length=0)
    axes.set_xlabel('predicted')
    axes.set_ylabel('true class, test images')
    bar = figure.colorbar(image, shrink=0.6)
    bar.set_label('share of the true class')
    note(figure, _rests_on(run) + ' Grey rows: no test image.')
    return figure


def per_class_picture(run: Run, min_support: int = 10) -> Figure:
    """Precision, recall and F1 with intervals, by support."""
    support = np.bincount(run.labels, minlength=len(run.codes))
    order = [i for i in np.argsort(-support, kind='stable') if support[i]]
    figure = new_figure(12, 1.6 + 0.32 * len(order))
    panels = figure.subplots(1, 3, sharey=True)
    places = np.arange(len(order))
    for axes, score in zip(panels, ('precision', 'recall', 'f1'), strict=True):
        figures = [run.figures[score, run.codes[i]] for i in order]
        values = np.array([f.value for f in figures])
        ends = np.array([(f.low, f.high) for f in figures]).T
        pale = [0.35 if support[i] < min_support else 1.0 for i in order]
        bars = axes.barh(places, values, color=BLUE, height=0.7)
        for bar, alpha in zip(bars, pale, strict=True):
            bar.set_alpha(alpha)
        # An interval need not hold its value, as that of a bootstrap.
        arms = np.abs(np.stack([values - ends[0], ends[1] - values]))
        axes.errorbar(
            values, places, xerr=arms, fmt='none', ecolor='black', capsize=2
        )
        axes.set_xlim(0, 1)
        axes.set_title('F1' if score == 'f1' else score)
        axes.grid(axis='x', color='0.85')
        axes.set_axisbelow(True)
    labels = [
        f'{title(run.codes[i], run.names[i])}, {support[i]}' for i in order
    ]
    panels[0].set_yticks(places, labels, fontsize=9)
    panels[0].set_ylim(len(order) - 0.4, -0.6)
    note(
        figure,
        _rests_on(run) + ' Sorted by test images, the number after the name; '
        f'pale: fewer than {min_support}. 95 % intervals over test images.',
    )
    return figure


def reliability_picture(run: Run, temperature: float | None = None) -> Figure:
    """Accuracy by confidence; with a temperature, also after it."""
    scores = {'as it is': run.scores}
    if temperature is not None:
        after = apply_temperature(run.scores, temperature)
        scores[f'temperature {temperature:.2f}'] = after
    figure = new_figure(5.4 * len(scores), 6.2)
    panels = figure.subplots(
        2,
        len(scores),
        sharex=True,
        squeeze=False,
        gridspec_kw=dict(height_ratios=(3, 1)),
    )
    for column, (name, given) in enumerate(scores.items()):
        upper, lower = panels[:, column]
        bins = reliability(given, run.labels)
        used = bins['count'] > 0
        edges = np.linspace(0, 1, len(used) + 1)
        middle = (edges[1:] + edges[:-1])[used] / 2
        n, accuracy = bins['count'][used], bins['accuracy'][used]
        low, high = wilson(accuracy * n, n)
        upper.plot((0, 1), (0, 1), color='0.5', linestyle='--')
        upper.bar(middle, accuracy, width=0.9 * edges[1], color=BLUE)
        upper.errorbar(
            middle,
            accuracy,
            # rounding may put an end a hair on the wrong side
            yerr=np.maximum((accuracy - low, high - accuracy), 0),
            fmt='none',
            ecolor='black',
            capsize=2,
        )
        confidence = bins['confidence'][used]
        upper.plot(confidence, confidence, '_', color=ORANGE, markersize=14)
        error, *ends, _ = debiased_calibration_error(given, run.labels)
        upper.set_title(
            f'{name}: calibration error {error:.3f} '
            f'[{ends[0]:.3f}, {ends[1]:.3f}]',
            fontsize=10,
        )
        upper.set_ylim(0, 1)
        upper.set_xlim(0, 1)
        lower.bar(middle, n, width=0.9 * edges[1], color='0.6')
        lower.set_xlabel('confidence')
    panels[0, 0].set_ylabel('accuracy')
    panels[1, 0].set_ylabel('test images')
    note(
        figure,
        f'{_rests_on(run)}\nBlue: accuracy with 95 % Wilson interval. '
        'Orange: mean confidence of the bin, where a calibrated bar ends.',
    )
    return figure


def _rests_on(run: Run) -> str:
    return f'{len(run.labels)} test images. Protocol: {run.protocol}.'
