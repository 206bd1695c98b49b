"""Is one run better than another by more than the draw of test images?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.confusion import (
    averages,
    confusion_matrix,
)
from bm_plugins.evaluation.functional.intervals import (
    bootstrap_matrices,
    mcnemar,
    percentile_interval,
)
from bm_plugins.evaluation.functional.known_scores import MAIN, titles

from .run_folder import Run, check_same_test, classifiers_of

# Of many scores some would differ by chance: one, named beforehand, decides.
PRIMARY = 'macro_f1'


@dataclass(frozen=True)
class Difference:
    """A score of A and B, and B - A with its 95 % interval.

    Attributes:
        score (str): Its name.
        pair (str): ``1``, ``2``, ... or ``mean``.
        a, b (float): Scores of A and B.
        low, high (float): Ends of the interval of b - a.
    """

    score: str
    pair: str
    a: float
    b: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Whether the interval leaves out 0."""
        if self.low > 0:
            return 'B is higher'
        return 'A is higher' if self.high < 0 else 'no more than noise'


def compare_runs(
    before: Sequence[Run],
    after: Sequence[Run],
    min_support: int = 10,
    replicates: int = 10_000,
    seed: int = 0,
) -> list[Difference]:
    """Paired bootstrap of the runs' differences.

    Args:
        before (Sequence[Run]): A, as many as ``after``; the first of both are
            a pair (say, of the same seed), and so on.
        after (Sequence[Run]): B.
        min_support (int): Test images of the ``*_min_support`` average.
        replicates (int): Draws of test images. Defaults to 10,000.
        seed (int): Their seed.

    Returns:
        list[Difference]: Each score of each pair, then of the mean over the
        pairs where there are several.

    Raises:
        InputError: The runs do not pair, or are not of the same test.
    """
    runs = [*before, *after]
    if len(before) != len(after) or not before:
        raise InputError(
            f'{len(before)} runs to compare with {len(after)}: give pairs, '
            'first all of A, then all of B.'
        )
    check_same_test(runs)
    labels, count = runs[0].labels, len(runs[0].codes)
    enough = np.bincount(labels, minlength=count) >= min_support

    def score(matrices: np.ndarray) -> dict[str, np.ndarray]:
        return averages(matrices, min_support, enough)

    drawn = [
        score(part)
        for part in bootstrap_matrices(
            labels, [run.predictions for run in runs], count, replicates, seed
        )
    ]
    observed = score(
        np.stack(
            [confusion_matrix(labels, r.predictions, count) for r in runs]
        )
    )
    half = len(before)
    result = []
    for name in titles(MAIN, min_support):
        if np.isnan(observed[name]).any():
            continue
        a, b = observed[name][:half], observed[name][half:]
        draws = np.concatenate([part[name] for part in drawn], axis=1)
        draws = draws[half:] - draws[:half]
        rows = [(str(i + 1), a[i], b[i], draws[i]) for i in range(half)]
        if half > 1:
            rows.append(('mean', a.mean(), b.mean(), draws.mean(0)))
        for pair, first, second, differences in rows:
            ends = percentile_interval(differences)
            result.append(
                Difference(
                    name, pair, *map(float, (first, second)), *map(float, ends)
                )
            )
    return result


def comparison_text(
    before: Sequence[Run], after: Sequence[Run], min_support: int = 10, **draws
) -> str:
    """The comparison as lines to print; arguments as above."""
    differences = compare_runs(before, after, min_support, **draws)
    first = before[0]
    classes = len({*first.labels.tolist()})
    lines = [
        f'{len(first.paths)} test images of {classes} classes; protocol: '
        f'{first.protocol}.',
        *_classifiers(classifiers_of(before), classifiers_of(after)),
        'B - A with its 95 % interval, by a paired bootstrap over the images.',
        'One score decides, macro F1'
        + (', in the mean of the pairs' if len(before) > 1 else '')
        + '; all else describes, uncorrected for how many there are.',
        '',
        f'{"score":20} {"pair":4}  A      B      B - A',
    ]
    deciding = [d for d in differences if d.score == PRIMARY][-1]
    names = titles(MAIN, min_support)
    for d in differences:
        lines.append(
            f'{names[d.score]:20} {d.pair:4}  {d.a:.3f}  {d.b:.3f}  '
            f'{d.b - d.a:+.3f} [{d.low:+.3f}, {d.high:+.3f}]'
            + (f'  {d.verdict}' if d is deciding else '')
        )
    lines.append('')
    for i, (a, b) in enumerate(zip(before, after, strict=True), 1):
        only_a, only_b, p = mcnemar(a.labels, a.predictions, b.predictions)
        lines.append(
            f"McNemar's exact test, pair {i}: {only_a} images right by A "
            f'alone, {only_b} by B alone, p = {p:.3g}.'
        )
    lines += [
        '',
        'The intervals are over test images, given these trained models: '
        'another seed',
        'or another training set adds to them.',
    ]
    return '\n'.join(lines)


def _classifiers(a: str, b: str) -> list[str]:
    """How both were fitted, and whether they weigh the classes alike."""
    if a == b:
        return [f'Classifier of both: {a}.'] if a else []
    lines = [
        f'Classifier of {side}: {way or "none fitted, or not recorded"}.'
        for side, way in (('A', a), ('B', b))
    ]
    losses = [
        {one.split(', L2 ')[0] for one in way.split('; ')} for way in (a, b)
    ]
    if not (a and b) or 'not recorded' in losses[0] | losses[1]:
        lines.append(
            'Whether A and B were fitted by the same loss is not recorded.'
        )
    elif losses[0] != losses[1]:
        lines.append(
            'A and B were fitted by different losses: B - A is of these, too, '
            'not of the features alone.'
        )
    return lines
