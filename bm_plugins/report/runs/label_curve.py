"""Macro F1 of several routes at several numbers of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bm_plugins.evaluation.functional.confusion import (
    averages,
    confusion_matrix,
)
from bm_plugins.evaluation.functional.intervals import (
    bootstrap_matrices,
    percentile_interval,
)

from .run_folder import Run


@dataclass(frozen=True)
class Point:
    """A route's macro F1 with some labels, mean over the draws.

    Attributes:
        route (str): Its name.
        labels (int or None): Of each class at most; None for all.
        value, low, high (float): Macro F1 with its 95 % interval.
        gain, gain_low, gain_high (float): Less that of the first route.
    """

    route: str
    labels: int | None
    value: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


def points_of(
    runs: Mapping[tuple[str, int | None], Sequence[Run]],
    replicates: int = 2000,
) -> list[Point]:
    """Macro F1 over the classes with test images, by route and budget.

    The intervals are of a bootstrap over the test images and, where there
    are several, the draws of labels; the same for all routes.

    Args:
        runs (Mapping): As of a route and a budget of labels.
        replicates (int): Draws of the bootstrap. Defaults to 2000.
    """
    first = next(iter(runs.values()))[0]
    labels, count = first.labels, len(first.codes)
    enough = np.bincount(labels, minlength=count) > 0
    points, reference = [], {}
    for (route, budget), group in runs.items():
        said = [run.predictions for run in group]
        drawn = np.concatenate(
            [*bootstrap_matrices(labels, said, count, replicates)], axis=1
        )
        draws = averages(drawn, 1, enough)['macro_f1']
        chosen = np.random.default_rng(0).integers(
            len(group), size=(len(group), replicates)
        )
        draws = np.take_along_axis(draws, chosen, 0).mean(0)
        matrices = [confusion_matrix(labels, own, count) for own in said]
        value = averages(np.stack(matrices), 1, enough)['macro_f1'].mean()
        base, base_draws = reference.setdefault(budget, (value, draws))
        points.append(
            Point(
                route,
                budget,
                float(value),
                *map(float, percentile_interval(draws)),
                float(value - base),
                *map(float, percentile_interval(draws - base_draws)),
            )
        )
    return points


def curve_table(points: Sequence[Point], draws: int) -> str:
    """The points as Markdown, a column a route."""
    routes = list(dict.fromkeys(point.route for point in points))
    cells = {(point.route, point.labels): point for point in points}
    lines = [
        f'Macro F1, mean of {draws} draws of labels (of all labels one), with '
        'its 95 % interval over draws and test images; below it the '
        f'difference from “{routes[0]}”, paired.',
        '',
        '| labels a class | ' + ' | '.join(routes) + ' |',
        '|---' * (1 + len(routes)) + '|',
    ]
    for budget in dict.fromkeys(point.labels for point in points):
        row = [str(budget or 'all')]
        for route in routes:
            p = cells[route, budget]
            text = f'{p.value:.3f} [{p.low:.3f}, {p.high:.3f}]'
            if route != routes[0]:
                text += (
                    f'<br>{p.gain:+.3f} [{p.gain_low:+.3f}, '
                    f'{p.gain_high:+.3f}]'
                )
            row.append(text)
        lines.append(f'| {" | ".join(row)} |')
    return '\n'.join(lines) + '\n'
