import numpy as np
import pytest
from matplotlib.text import Text

from bm_plugins.datasets.matek_classes import CLASSES, FULL_NAMES
from bm_plugins.evaluation.functional.calibration import reliability
from bm_plugins.report.runs.run_folder import read_run
from bm_plugins.visualization.run_plots import (
    confusion_picture,
    per_class_picture,
    reliability_picture,
)
from tests.report.written_run import draw, write_run


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 2, 3, 5, 10, 20], 300, p=[0.01] + [0.165] * 6)
    _, scores = draw(300, 0.7, 0, classes=21, labels=labels)
    folder = tmp_path_factory.mktemp('run')
    return read_run(
        write_run(folder, labels, scores, CLASSES, full_names=FULL_NAMES)
    )


def inside(figure):
    """All text lies within the picture."""
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    texts = figure.findobj(match=Text)
    boxes = [
        t.get_window_extent()
        for t in texts
        if t.get_text().strip() and t.get_visible()
    ]
    assert len(boxes) > 10
    for box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1, box
        assert box.x1 <= width + 1 and box.y1 <= height + 1, box


def test_confusion_matrix_has_names_and_counts(run):
    figure = confusion_picture(run)
    inside(figure)
    axes = figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    support = np.bincount(run.labels, minlength=21)
    assert names[3] == f'Blasts (BLA), {support[3]}' and len(names) == 21
    cells = {
        (round(t.get_position()[1]), round(t.get_position()[0])): t.get_text()
        for t in axes.texts
    }
    expected = np.zeros((21, 21), int)
    np.add.at(expected, (run.labels, run.predictions), 1)
    found = np.zeros((21, 21), int)
    for place, text in cells.items():
        found[place] = int(text)
    assert np.array_equal(found, expected)


def test_bars_are_sorted_by_support_with_their_intervals(run):
    figure = per_class_picture(run)
    inside(figure)
    panels = figure.axes
    support = np.bincount(run.labels, minlength=21)
    order = [i for i in np.argsort(-support, kind='stable') if support[i]]
    labels = [t.get_text() for t in panels[0].get_yticklabels()]
    assert labels == [
        f'{FULL_NAMES[i]} ({CLASSES[i]}), {support[i]}' for i in order
    ]
    for axes, score in zip(panels, ('precision', 'recall', 'f1'), strict=True):
        figures = [run.figures[score, CLASSES[i]] for i in order]
        widths = [bar.get_width() for bar in axes.patches]
        assert widths == pytest.approx([f.value for f in figures])
        arms = axes.containers[1].lines[2][0].get_segments()
        for (low, high), f in zip(arms, figures, strict=True):
            assert (low[0], high[0]) == pytest.approx((f.low, f.high))
        pale = [bar.get_alpha() < 1 for bar in axes.patches]
        assert pale == [support[i] < 10 for i in order] and any(pale)


def test_reliability_bars(run):
    figure = reliability_picture(run, temperature=2.0)
    inside(figure)
    upper = figure.axes[0]
    bins = reliability(run.scores, run.labels)
    used = bins['count'] > 0
    bars = [p.get_height() for p in upper.patches]
    assert bars == pytest.approx(list(bins['accuracy'][used]))
    assert len(figure.axes) == 4
    assert len(reliability_picture(run).axes) == 2
