"""Counts, smears and the choice of cells, by hand."""

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

from bm_plugins.apis.bundle.bundle import Validation
from bm_plugins.apis.prediction.cell_list import CellList
from bm_plugins.apis.prediction.record import PredictionRecord
from bm_plugins.apis.prediction.report import (
    _slide_shares,
    choose,
    name_of,
    prediction_facts,
    tally,
    write_report,
)
from bm_plugins.apis.prediction.table import header, read_scores
from bm_plugins.evaluation.functional.prevalence import (
    at_equal_shares,
    at_shares,
)
from bm_plugins.report.differential.notes import ALL_DECIDED
from bm_plugins.report.differential.scheme import Scheme, read_scheme
from tests.apis.tiny_bundle import CODES, PRIOR, tiny_bundle
from tests.report.slide import scores_of

SCHEME = Scheme(
    groups=dict(BLA='myeloid', LYT='other', NGS='myeloid'),
    counted=dict(BLA=True, LYT=False, NGS=True),
)


def table(folder, rows):
    """predictions.csv of path, code, confidence, flag."""
    file = folder / 'predictions.csv'
    with open(file, 'w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(header(CODES))
        for path, code, confidence, flag in rows:
            chances = [0.1] * 3
            row = [path, code, confidence, *chances, code, 1, flag, '']
            writer.writerow(row)
    return file


ROWS = [
    ('s1/a.jpg', 'BLA', 0.9, ''),
    ('s1/b.jpg', 'BLA', 0.5, 'unsure'),
    ('s1/c.jpg', 'LYT', 0.4, 'unlike'),
    ('s2/d.jpg', 'NGS', 0.8, 'unsure'),
    ('s2/e.jpg', 'NGS', 0.7, ''),
    ('s2/f.jpg', 'NGS', 0.6, ''),
]


def as_lists(smears):
    return {name: counts.tolist() for name, counts in smears.items()}


def test_counts_follow_the_corrections(tmp_path):
    file = table(tmp_path, ROWS)
    sums = tally(file, CODES, {})
    assert sums.counts.tolist() == [2, 1, 3]
    assert sums.doubtful.tolist() == [1, 1, 1]
    assert as_lists(sums.smears) == dict(s1=[2, 1, 0], s2=[0, 0, 3])
    corrections = {'s1/b.jpg': 'NGS', 's2/d.jpg': 'NGS', 's1/a.jpg': 'LYT'}
    sums = tally(file, CODES, corrections)
    assert sums.counts.tolist() == [0, 2, 4]
    assert sums.doubtful.tolist() == [0, 1, 0]
    assert as_lists(sums.smears) == dict(s1=[0, 2, 1], s2=[0, 0, 3])


@pytest.mark.parametrize(
    'paths',
    [
        ['a.jpg', 'b.jpg'],
        ['s1/a.jpg', 's1/b.jpg'],
        ['s1/a.jpg', 'b.jpg'],
        ['BLA/a.jpg', 'LYT/b.jpg'],
        ['PMO/a.jpg', 'other/b.jpg'],
        ['/s1/a.jpg', '/s2/b.jpg'],
        [f'{i}/a.jpg' for i in range(30)],
    ],
)
def test_folders_that_are_no_smears(tmp_path, paths):
    file = table(tmp_path, [(path, 'BLA', 1, '') for path in paths])
    assert tally(file, CODES, {}).smears is None


def test_doubtful_cells_are_chosen_first(tmp_path):
    file = table(tmp_path, ROWS)
    corrections = {'s2/e.jpg': 'NGS'}
    sums = tally(file, CODES, corrections)

    def chosen(limit):
        rows = choose(file, CODES, sums, corrections, limit)
        return [row.path[3] for row in rows]

    assert chosen(1) == ['e']
    assert chosen(2) == ['c', 'e']
    assert chosen(3) == ['b', 'c', 'e']
    assert chosen(4) == ['b', 'c', 'd', 'e']
    assert chosen(99) == list('abcdef')


def test_the_others_are_of_each_class(tmp_path):
    rows = [(f'{i}.jpg', 'BLA', 0.9, '') for i in range(3000)]
    rows += [(f'l{i}.jpg', 'LYT', 0.9, '') for i in range(300)]
    rows += [(f'n{i}.jpg', 'NGS', 0.9, '') for i in range(3)]
    file = table(tmp_path, rows)
    sums = tally(file, CODES, {})
    codes = [row.code for row in choose(file, CODES, sums, {}, 203)]
    assert len(codes) == 203 and codes.count('NGS') == 3
    # Some 100 each; three standard deviations of a Poisson's 100 are 30.
    assert abs(codes.count('LYT') - 100) < 30


@pytest.mark.parametrize('prior', [[0.2, 0.5, 0.3], [0.998, 0.001, 0.001]])
def test_equal_shares_undo_other_shares(prior):
    prior = np.array(prior)
    equal = np.random.default_rng(0).dirichlet([0.5] * 3, 50)
    equal = np.maximum(equal, 1e-3) / np.maximum(equal, 1e-3).sum(1)[:, None]
    back = at_equal_shares(at_shares(equal, prior), prior)
    np.testing.assert_allclose(back, equal, rtol=1e-9)
    # By hand: .6 : .4 at shares of .75 and .25 are .8 : 1.6 at equal ones.
    found = at_equal_shares(np.array([[0.6, 0.4]]), np.array([0.75, 0.25]))
    np.testing.assert_allclose(found, [[1 / 3, 2 / 3]])


def test_a_class_that_the_classifier_does_not_know_stays_at_0():
    scores, prior = np.array([[0.5, 0.3, 0.2]]), np.array([0.5, 0.5, 0])
    with np.errstate(all='raise'):
        found = at_equal_shares(scores, prior)
    np.testing.assert_allclose(found, [[0.625, 0.375, 0]])


def test_probabilities_that_were_rounded_to_0():
    # Half of the last decimal of the file, of its 6, is taken for them.
    scores = np.array([[1.0, 0, 0], [0, 0, 1]])
    prior = np.array([0.9999, 0.00005, 0.00005])
    with np.errstate(all='raise'):
        found = at_equal_shares(scores, prior)
    assert (found > 0).all() and found.argmax(1).tolist() == [0, 2]
    # 1 / .9999 to 2.5e-7 / .00005 = .005.
    assert found[0, 1] == pytest.approx(0.005 / 1.0101, rel=1e-3)


def test_files_are_written(tmp_path):
    table(tmp_path, ROWS)
    for path, *_ in ROWS[:-1]:  # the last has gone
        (tmp_path / path).parent.mkdir(exist_ok=True)
        image = np.full((200, 100, 3), 90, np.uint8)
        cv2.imwrite(str(tmp_path / path), image)
    bundle = tiny_bundle(
        info=dict(cautions=['Tried on few cells.'], prior=PRIOR)
    )
    scheme = read_scheme(None, CODES)
    args = (tmp_path, CellList(tmp_path, []), bundle, scheme)
    result = write_report(*args, {}, 4, dict(Fact='told'), 'patient <7>')
    page = (tmp_path / 'report.html').read_text()
    assert 'differential: patient &lt;7&gt;' in page
    assert 'Tried on few cells.' in page
    assert 'told' in page and '4 of 6, the doubtful first' in page
    assert result.rows[0].adjusted is not None
    assert 'listed in slide_classes.csv' in page
    with open(tmp_path / 'differential.csv') as stream:
        rows = {r['code']: r for r in csv.DictReader(stream) if r['code']}
    assert [rows[c]['count'] for c in CODES] == ['2', '1', '3']
    result = write_report(*args, {'s1/a.jpg': 'LYT'}, 99, {}, 'x')
    assert [row.count for row in result.rows] == [1, 2, 3]
    # still of the model's own suggestions
    assert result.rows[0].adjusted is not None
    assert 'has decided on 1 of the cells' in result.trust
    assert 'go by the intervals of the estimated' in result.trust
    assert result.rows[0].low is result.by_smear[0].low is None
    by_smear = (tmp_path / 'differential_by_smear.csv').read_text()
    assert by_smear.splitlines()[1].startswith('s1,BLA,1,33.3333,')
    page = (tmp_path / 'report.html').read_text()
    assert '6 of 6' in page and 'By smear' in page
    everyone = dict.fromkeys((path for path, *_ in ROWS), 'BLA')
    result = write_report(*args, everyone, 99, {}, 'x')
    assert result.trust == ALL_DECIDED
    # Wilson's interval of 6 in 6 and 3 in 3: n / (n + 1.96 ** 2).
    assert result.rows[0].low == pytest.approx(100 * 6 / 9.8415, rel=1e-4)
    assert result.by_smear[0].low == pytest.approx(300 / 6.8415, rel=1e-4)


def slide(folder, bundle):
    """A table of 300 cells, and their probabilities at equal shares."""
    true = np.repeat(range(3), (270, 20, 10))
    equal = scores_of(true, 3, np.random.default_rng(1), 1.5)
    scores = equal * PRIOR['shares']
    scores /= scores.sum(1, keepdims=True)
    with open(folder / 'predictions.csv', 'w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(header(CODES))
        for i, row in enumerate(scores):
            code = CODES[row.argmax()]
            chances = [f'{p:.6f}' for p in row]
            path = f'{"ba"[i % 2]}/{i}.jpg'
            writer.writerow(
                [path, code, max(chances), *chances, code, 1, '', '']
            )
    args = (folder, CellList(folder, []), bundle, read_scheme(None, CODES))
    return equal, lambda **more: write_report(*args, **more)


REST = dict(corrections={}, limit=99, facts={}, name='x')


def test_classes_at_the_slide_s_likeliest_shares(tmp_path):
    equal, write = slide(tmp_path, tiny_bundle())
    write(**REST)

    # The likeliest shares, of the logarithms of the odds to the first class.
    def loss(z):
        return -np.log(equal @ softmax([0, *z])).mean()

    best = minimize(loss, [0, 0], tol=1e-10)
    of_slide = equal * softmax([0, *best.x])
    of_slide /= of_slide.sum(1, keepdims=True)
    with open(tmp_path / 'slide_classes.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    with open(tmp_path / 'predictions.csv', newline='') as stream:
        told = list(csv.DictReader(stream))
    assert [*rows[0]] == ['path', 'code', 'confidence']
    assert [row['path'] for row in rows] == [row['path'] for row in told]
    assert [row['code'] for row in rows] == [
        CODES[i] for i in of_slide.argmax(1)
    ]
    np.testing.assert_allclose(
        [float(row['confidence']) for row in rows],
        of_slide.max(1),
        atol=1e-3,
    )
    changed = sum(
        row['code'] != was['code'] for row, was in zip(rows, told, strict=True)
    )
    page = (tmp_path / 'report.html').read_text()
    assert changed and f'for {changed} of 300 cells, listed in' in page


def test_a_bundle_that_does_not_say_its_mixture(tmp_path):
    bundle = tiny_bundle(info={})
    (tmp_path / 'slide_classes.csv').write_text('of an earlier bundle')
    _, write = slide(tmp_path, bundle)
    result = write(**REST)
    assert not (tmp_path / 'slide_classes.csv').exists()
    assert {row.adjusted for row in result.rows} == {None}
    (note,) = (x for x in result.notes if 'no estimated percentages' in x)
    assert 'say for which mixture of classes they were fitted' in note
    assert 'not known, so that no interval can be given' in result.trust
    page = (tmp_path / 'report.html').read_text()
    assert 'Estimated %' not in page and 'slide_classes.csv' not in page


def test_probabilities_of_the_table(tmp_path):
    equal, _ = slide(tmp_path, tiny_bundle())
    found = read_scores(tmp_path / 'predictions.csv', CODES)
    wanted = equal * PRIOR['shares']
    wanted /= wanted.sum(1, keepdims=True)
    np.testing.assert_allclose(found, wanted, atol=5.01e-7)
    assert read_scores(table(tmp_path, []), CODES).shape == (0, 3)


def test_a_rare_class_that_no_image_checks_is_not_blown_up(tmp_path):
    labels = np.arange(40) % 2  # none of the third class
    logits = np.random.default_rng(0).normal(size=(40, 3))
    logits[np.arange(40), labels] += 3
    bundle = tiny_bundle(
        temperature=1.0,
        validation=Validation(logits, labels, np.zeros(40)),
        info=dict(prior=dict(shares=[0.9, 0.099, 0.001])),
    )
    likely = ['x.jpg', CODES[0], '.95', '.95', '.04', '.01', CODES[0], '0']
    rows = [[f'{i}', *likely[1:], '', ''] for i in range(30)]
    table = tmp_path / 'predictions.csv'
    with open(table, 'w', newline='') as stream:
        csv.writer(stream).writerows([header(CODES), *rows])
    estimate, changed = _slide_shares(table, bundle, tmp_path / 'slide.csv')
    # By the prior alone the third class would be ten times likelier.
    assert estimate.likeliest[2] < 0.05 and changed == 0


def test_what_the_page_says_of_its_making(tmp_path):
    identity = dict(
        cells='', bundle='', error_rate=0.1, chunk=1, features=None
    )
    record = PredictionRecord(tmp_path, identity)
    record.finish(predicted=1234, skipped=2, time='now', version='9')
    bundle = tiny_bundle()
    held = bundle.validation
    facts = prediction_facts(
        'x/a.bundle', bundle, 'cells\n', record, 'd/c.csv'
    )
    right = sum(
        row.index(max(row)) == label
        for row, label in zip(
            held.logits.tolist(), held.labels.tolist(), strict=True
        )
    )
    accuracy = facts['Accuracy on calibration images']
    assert accuracy.startswith(f'{100 * right / 30:.1f} % [')
    assert accuracy.endswith('] of 30')
    assert facts['Images'] == (
        r'cells\n: 1,234 predicted, 2 skipped (listed in skipped.csv)'
    )
    assert facts['Model'] == 'a.bundle' and facts['Corrections'] == 'c.csv'
    # 10 calibration images a class.
    unsure = facts['Flag "unsure"']
    assert '10 % of the cells of each class' in unsure and 'few' not in unsure
    identity['error_rate'] = 0.08
    some = replace(held, labels=held.labels.clip(max=1))
    facts = prediction_facts(
        'a', replace(bundle, validation=some), 'cells', record, None
    )
    assert facts['Flag "unsure"'].endswith('; too few of these for BLA, NGS')
    assert 'than 99 %' in facts['Flag "unlike"']


def test_names_of_what_was_predicted(tmp_path):
    (tmp_path / 'patient_7').mkdir()
    (tmp_path / 'list.csv').write_text('path')
    assert name_of(tmp_path / 'patient_7') == 'patient_7'
    assert name_of(tmp_path / 'list.csv') == 'list'
    assert name_of('slides/*.png') == 'slides/*.png'
