"""Several methods with several seeds on one test part, as Markdown."""

from collections.abc import Mapping, Sequence

import numpy as np

from bm_plugins.evaluation.functional.confusion import (
    averages,
    confusion_matrix,
    per_class_scores,
)
from bm_plugins.evaluation.functional.intervals import (
    bootstrap_matrices,
    percentile_interval,
)
from bm_plugins.evaluation.functional.known_scores import titles

from .run_folder import Run, check_same_test, classifiers_of

_MAIN = ('accuracy', 'macro_f1', 'macro_f1_min_support')


def results_table(
    methods: Mapping[str, Sequence[Run]],
    min_support: int = 10,
    replicates: int = 2000,
) -> str:
    """Means over the seeds with intervals, and the differences.

    Args:
        methods (Mapping[str, Sequence[Run]]): Runs of each method, as many
            each. The first method is what the others are compared with.
        min_support (int): Test images of the second macro average.
        replicates (int): Draws of test images, the same for all runs.

    Raises:
        InputError: The runs are not of the same test.
    """
    runs = [run for group in methods.values() for run in group]
    check_same_test(runs)
    first = runs[0]
    labels, count = first.labels, len(first.codes)
    support = np.bincount(labels, minlength=count)
    enough, groups = support >= min_support, len(methods)

    def score(matrices: np.ndarray, name: str) -> np.ndarray:
        """Mean over the seeds (methods, ...)."""
        values = averages(matrices, min_support, enough)[name]
        return values.reshape(groups, -1, *values.shape[1:]).mean(1)

    predictions = [run.predictions for run in runs]
    drawn = np.concatenate(
        [*bootstrap_matrices(labels, predictions, count, replicates)],
        axis=1,
    )
    matrices = np.stack(
        [confusion_matrix(labels, said, count) for said in predictions]
    )
    seeds = len(runs) // groups
    heads = titles(_MAIN, min_support)
    lines = [
        f'{len(labels)} test images of {(support > 0).sum()} classes; '
        f'protocol: {first.protocol}. Mean of {seeds} seeds, in brackets its '
        f'95 % interval over test images ({replicates} bootstrap draws), '
        'after ± the standard deviation over seeds.',
        '',
        '| method | ' + ' | '.join(heads.values()) + ' |',
        '|---' * (1 + len(heads)) + '|',
    ]
    cells = {name: [] for name in methods}
    for key in heads:
        value, draws = score(matrices, key), score(drawn, key)
        single = averages(matrices, min_support, enough)[key]
        spread = single.reshape(groups, seeds)
        for row, name in enumerate(methods):
            std = spread[row].std(ddof=1) if seeds > 1 else float('nan')
            cells[name].append(
                f'{value[row]:.3f} {_ends(draws[row])} ± {std:.3f}'
            )
    lines += [f'| {name} | {" | ".join(c)} |' for name, c in cells.items()]
    names = list(methods)
    lines += ['', f'Macro F1 less that of “{names[0]}”, paired:', '']
    lines += ['| method | difference |', '|---|---|']
    value, draws = score(matrices, 'macro_f1'), score(drawn, 'macro_f1')
    for row, name in enumerate(names[1:], 1):
        ends = _ends(draws[row] - draws[0], '+')
        lines.append(f'| {name} | {value[row] - value[0]:+.3f} {ends} |')
    fitted = {name: classifiers_of(runs) for name, runs in methods.items()}
    if any(fitted.values()):
        lines += ['', 'Linear classifiers of frozen features:', '']
        lines += [f'- {name}: {way}' for name, way in fitted.items() if way]
    f1 = per_class_scores(matrices).f1.reshape(groups, seeds, count).mean(1)
    lines += ['', 'F1 by class, mean of the seeds:', '']
    lines.append('| code | class | n | ' + ' | '.join(names) + ' |')
    lines.append('|---' * (3 + groups) + '|')
    for i, code in enumerate(first.codes):
        if support[i]:
            row = ' | '.join(f'{value:.2f}' for value in f1[:, i])
            title = f'{code} | {first.names[i]} | {support[i]}'
            lines.append(f'| {title} | {row} |')
    return '\n'.join(lines) + '\n'


def _ends(draws: np.ndarray, sign: str = '') -> str:
    low, high = percentile_interval(draws)
    return f'[{low:{sign}.3f}, {high:{sign}.3f}]'
