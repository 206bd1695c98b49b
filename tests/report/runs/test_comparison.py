import numpy as np
import pytest
from sklearn.metrics import f1_score

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.intervals import mcnemar
from bm_plugins.report.runs.comparison import (
    Difference,
    compare_runs,
    comparison_text,
)
from bm_plugins.report.runs.run_folder import Run, read_run
from tests.report.written_run import draw, write_run


def pair(n, first, second, seed):
    labels, a = draw(n, first, seed)
    _, b = draw(n, second, seed + 10_000, labels=labels)
    paths = [f'{i}' for i in range(n)]
    return [
        Run('x', tuple('ABCD'), tuple('ABCD'), paths, labels, s, {}, '')
        for s in (a, b)
    ]


def test_values_are_scikit_learns():
    a, b = pair(200, 0.4, 0.6, seed=0)
    found = {d.score: d for d in compare_runs([a], [b], replicates=500)}
    for run, side in ((a, 'a'), (b, 'b')):
        macro = f1_score(run.labels, run.predictions, average='macro')
        assert getattr(found['macro_f1'], side) == pytest.approx(macro)
        accuracy = (run.labels == run.predictions).mean()
        assert getattr(found['accuracy'], side) == pytest.approx(accuracy)


def test_a_planted_difference_is_found():
    a, b = pair(400, 0.5, 0.7, seed=1)
    for d in compare_runs([a], [b], replicates=2000):
        assert d.low > 0 and d.verdict == 'B is higher', d
    for d in compare_runs([b], [a], replicates=2000):
        assert d.high < 0 and d.verdict == 'A is higher', d
    assert mcnemar(a.labels, a.predictions, b.predictions)[2] < 0.001


def test_errs_at_its_nominal_rate_where_there_is_none():
    """Of 200 pairs of equal classifiers some 5 % seem to differ."""
    wrong = dict.fromkeys(('accuracy', 'macro_f1', 'McNemar'), 0)
    for seed in range(200):
        a, b = pair(150, 0.5, 0.5, seed)
        for d in compare_runs([a], [b], replicates=400, seed=seed):
            if d.score in wrong:
                wrong[d.score] += d.verdict != 'no more than noise'
        p = mcnemar(a.labels, a.predictions, b.predictions)[2]
        wrong['McNemar'] += p < 0.05
    # 10 expected; 2 to 20 in 99.9 % of trials of 200 at 5 %
    assert 2 <= wrong['accuracy'] <= 20
    assert 2 <= wrong['macro_f1'] <= 20
    assert wrong['McNemar'] <= 20  # the exact test errs less often


def test_mean_of_pairs():
    a, b = pair(200, 0.5, 0.6, seed=3)
    found = compare_runs([a, b], [b, a], replicates=500)
    for d in found:
        if d.pair == 'mean':  # of two opposite differences
            assert d.a == pytest.approx(d.b)
            assert d.low == pytest.approx(0) == pytest.approx(d.high)
    assert {d.pair for d in found} == {'1', '2', 'mean'}


def test_runs_that_do_not_pair():
    a, b = pair(20, 0.5, 0.5, seed=0)
    with pytest.raises(InputError, match='1 runs to compare with 2'):
        compare_runs([a], [a, b])


def test_text_has_n_protocol_and_verdict(tmp_path):
    labels, scores = draw(100, 0.3, seed=0)
    better = np.eye(4)[labels] * 0.7 + 0.075
    runs = [
        read_run(write_run(tmp_path / name, labels, s))
        for name, s in (('a', scores), ('b', better))
    ]
    text = comparison_text(runs[:1], runs[1:], replicates=200)
    assert text.startswith('100 test images of 4 classes; protocol: by hand.')
    line = next(x for x in text.splitlines() if x.startswith('macro F1  '))
    assert '1.000' in line and line.endswith('B is higher')
    assert 'macro F1, n ≥ 10' in text
    assert "McNemar's exact test, pair 1: 0 images right by A" in text


def test_text_says_what_was_fitted_and_where_that_differs(tmp_path):
    labels, scores = draw(100, 0.3, seed=0)
    ways = {
        'old': '',
        'a': 'unweighted cross-entropy, L2 0.01 by macro F1',
        'b': 'class-balanced cross-entropy, L2 0.1 by macro F1',
        'c': 'class-balanced cross-entropy, L2 1 by macro F1',
    }
    runs = {
        name: read_run(
            write_run(tmp_path / name, labels, scores, classifier=way)
        )
        for name, way in ways.items()
    }

    def said(before, after):
        a, b = ([runs[name] for name in side] for side in (before, after))
        text = comparison_text(a, b, replicates=20)
        (start,) = [
            i for i, x in enumerate(text.splitlines()) if 'B - A with' in x
        ]
        return text.splitlines()[1:start]

    unlike = (
        'A and B were fitted by different losses: B - A is of these, too, '
        'not of the features alone.'
    )
    unknown = 'Whether A and B were fitted by the same loss is not recorded.'
    assert said(['old'], ['old']) == []
    assert said(['b'], ['b']) == [f'Classifier of both: {ways["b"]}.']
    assert said(['b'], ['c']) == [
        f'Classifier of A: {ways["b"]}.',
        f'Classifier of B: {ways["c"]}.',
    ]
    assert said(['a', 'a'], ['b', 'c']) == [
        f'Classifier of A: {ways["a"]}.',
        f'Classifier of B: {ways["b"]}; {ways["c"]}.',
        unlike,
    ]
    none = 'Classifier of A: none fitted, or not recorded.'
    assert said(['old'], ['b']) == [
        none,
        f'Classifier of B: {ways["b"]}.',
        unknown,
    ]
    assert said(['b', 'old'], ['b', 'b'])[-1] == unknown


def test_verdict():
    assert Difference('x', '1', 0, 0, -0.1, 0.1).verdict == (
        'no more than noise'
    )


def test_equal_runs_rarely_get_any_verdict():
    """Of 200 pairs of equal classifiers 12 (6 %) at most, all lines read."""
    verdicts = 0
    for seed in range(200):
        a, b = pair(150, 0.5, 0.5, seed)
        text = comparison_text([a], [b], replicates=400, seed=seed)
        assert text.count('no more than noise') + text.count('is higher') == 1
        verdicts += 'is higher' in text
    assert verdicts <= 12


def test_of_several_pairs_the_mean_decides():
    a, b = pair(200, 0.4, 0.7, seed=3)
    text = comparison_text([a, a], [b, b], replicates=300)
    (line,) = [x for x in text.splitlines() if 'is higher' in x]
    assert line.startswith('macro F1 ') and ' mean ' in line
