"""Times of several routes to one thing, taken by turns."""

import time
from collections.abc import Callable, Mapping
from statistics import median


def alternate(
    sides: Mapping[str, Callable[[], object]],
    runs: int = 5,
    warm_up: bool = True,
) -> dict[str, list[float]]:
    """Time each side ``runs`` times, by turns, after one warm-up each.

    By turns, so that what slows the machine for a while slows all of them.

    Args:
        sides (Mapping[str, Callable]): What to time, by name.
        runs (int): Timed calls of each. Defaults to 5.
        warm_up (bool): Call each once before; not worth it where a call takes
            minutes. Defaults to True.

    Returns:
        dict[str, list[float]]: Seconds of each call, by name.
    """
    for side in sides.values() if warm_up else ():
        side()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def compare(
    what: str,
    sides: Mapping[str, Callable[[], object]],
    items: int = 1,
    runs: int = 5,
    warm_up: bool = True,
) -> dict:
    """Time ours, the stock route and their limits.

    Args:
        what (str): What is done, on which data, for the report.
        sides (Mapping[str, Callable]): ``'ours'``, ``'stock'`` and perhaps
            limits, as ``'decode only'``.
        items (int): Images (or entries) that one call handles. Defaults to 1.
        runs (int): Timed calls of each. Defaults to 5.
        warm_up (bool): As in :func:`alternate`. Defaults to True.

    Returns:
        dict: ``what``, ``items``, ``ratio`` (stock over ours, of the medians;
        absent without a stock side) and under ``sides``, by name,
        ``median_s``, ``per_item_ms`` and ``runs_s``.
    """
    seconds = alternate(sides, runs, warm_up)
    middle = {name: median(times) for name, times in seconds.items()}
    result: dict = {'what': what, 'items': items}
    if 'stock' in middle:
        result['ratio'] = middle['stock'] / middle['ours']
    result['sides'] = {
        name: {
            'median_s': middle[name],
            'per_item_ms': 1000 * middle[name] / items,
            'runs_s': times,
        }
        for name, times in seconds.items()
    }
    return result
