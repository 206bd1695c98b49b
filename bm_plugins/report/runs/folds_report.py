"""A cross-validation as Markdown."""

from collections.abc import Sequence

import numpy as np

from bm_plugins.evaluation.metrics.scores import figures_of

from .folds import fold_scores
from .run_folder import Run, classifiers_of

_MAIN = (
    ('accuracy', 'accuracy'),
    ('balanced_accuracy', 'balanced accuracy'),
    ('macro_precision', 'macro precision'),
    ('macro_recall', 'macro recall'),
    ('macro_f1', 'macro F1'),
    ('macro_f1_min_support', 'macro F1, n ≥ {} in the fold'),
    ('weighted_f1', 'weighted F1'),
)


def folds_report(
    runs: Sequence[Run], protocol: str, min_support: int = 10
) -> str:
    """Means over the folds, and the scores of all predictions together.

    Args:
        runs (Sequence[Run]): The tested folds.
        protocol (str): How the folds were made and what pretraining saw.
        min_support (int): Test images that a class needs not to be marked.

    Returns:
        str: Markdown.
    """
    by_key = {(s.score, s.of): s for s in fold_scores(runs)}
    pooled = figures_of(
        np.concatenate([run.labels for run in runs]),
        np.concatenate([run.scores for run in runs]),
        runs[0].codes,
        min_support,
    )
    sizes = ', '.join(str(len(run.paths)) for run in runs)
    fitted = classifiers_of(runs)
    lines = [
        f'{len(runs)} folds of {sizes} test images; protocol: {protocol}.',
        *([f'Linear classifier of each fold: {fitted}.'] if fitted else []),
        '',
        'Mean over the folds ± standard deviation (ddof 1), in brackets the '
        '95 % interval of the mean, widened for the training images that '
        'folds share (Nadeau and Bengio 2003). *Pooled*: the predictions of '
        'all folds as one test, with its 95 % interval over the images.',
        '',
        '| score | over the folds | pooled |',
        '|---|---|---|',
    ]
    for score, title in _MAIN:
        if (score, 'all') in by_key:
            cells = f'{by_key[score, "all"]} | {pooled[score, "all"]}'
            lines.append(f'| {title.format(min_support)} | {cells} |')
    lines += [
        '',
        '| code | class | n | folds | precision | recall | F1 | F1, pooled |',
        '|---|---|---|---|---|---|---|---|',
    ]
    for code, name in zip(runs[0].codes, runs[0].names, strict=True):
        if ('f1', code) not in by_key:
            continue
        three = [by_key[m, code] for m in ('precision', 'recall', 'f1')]
        figure = pooled['f1', code]
        cells = ' | '.join(map(str, three))
        few = ' (few)' if figure.n < min_support else ''
        lines.append(
            f'| {code} | {name} | {figure.n}{few} | {len(three[2].values)} '
            f'| {cells} | {figure} |'
        )
    lines += [
        '',
        f'(few): fewer than {min_support} test images in all; the interval '
        'over the folds is that of their means, so that a narrow one says '
        'little there.',
    ]
    return '\n'.join(lines) + '\n'
