"""Macro F1 against the number of labels."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from bm_plugins.report.runs.label_curve import Point

from .canvas import mark, new_figure, note


def label_curve_picture(points: Sequence[Point], said: str) -> Figure:
    """One line a route with its 95 % band; all labels stand at the right."""
    figure = new_figure(6.4, 4.2)
    axes = figure.subplots()
    budgets = list(dict.fromkeys(point.labels for point in points))
    place = {budget: at for at, budget in enumerate(budgets)}
    for number, route in enumerate(dict.fromkeys(p.route for p in points)):
        own = [point for point in points if point.route == route]
        at = [place[point.labels] for point in own]
        colour, shape = mark(number)
        values = [point.value for point in own]
        axes.plot(at, values, color=colour, marker=shape, label=route)
        axes.fill_between(
            at,
            [point.low for point in own],
            [point.high for point in own],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    axes.set_xticks([*place.values()], [str(b or 'all') for b in budgets])
    axes.set_xlabel('labels of each class')
    axes.set_ylabel('macro F1')
    axes.set_ylim(0, 1)
    axes.grid(color='0.9')
    axes.legend(fontsize=8)
    note(figure, said)
    return figure
