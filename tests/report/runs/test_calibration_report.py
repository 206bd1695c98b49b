import csv

import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import log_loss

from bm_plugins.errors import InputError
from bm_plugins.evaluation.functional.intervals import bootstrap_means
from bm_plugins.report.runs.calibration_report import (
    calibrate,
    calibration_text,
    write_calibration,
)
from bm_plugins.report.runs.run_folder import read_run
from tests.evaluation.functional.test_calibration import plain_error
from tests.report.written_run import write_run


def overconfident(folder, n, seed, temperature=3.0, **kwargs):
    """Scores whose true temperature is known."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, 4))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(4, p=row) for row in p])
    sharp = np.exp(logits * temperature)
    scores = sharp / sharp.sum(1, keepdims=True)
    return read_run(write_run(folder, labels, scores, **kwargs))


def test_finds_the_temperature_and_mends_the_error(tmp_path):
    run = overconfident(tmp_path / 'test', 3000, 0)
    val = overconfident(tmp_path / 'val', 3000, 1, prefix='v')
    temperature, scores = calibrate(run, val)
    assert temperature == pytest.approx(3, rel=0.07)
    by_name = {item.score: item for item in scores}
    error = by_name['calibration_error']
    plain = plain_error(run.scores, run.labels)
    assert error.before == pytest.approx(plain, abs=0.005)
    assert error.before > 0.15 and error.after < 0.04
    assert error.after_ends[1] < error.before_ends[0]
    loss = by_name['negative_log_likelihood']
    assert loss.before == pytest.approx(log_loss(run.labels, run.scores))
    assert loss.before_ends[0] < loss.before < loss.before_ends[1]
    assert loss.after < loss.before
    text = calibration_text(run, val, temperature, scores)
    assert '3000 test images' in text and 'overconfident' in text
    file = tmp_path / 'calibration.csv'
    write_calibration(file, run, temperature, scores)
    with open(file, newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row['temperature']) for row in rows[:2]] == pytest.approx(
        [1, temperature], abs=1e-6
    )
    assert float(rows[1]['value']) == pytest.approx(error.after, abs=1e-6)
    assert {row['n'] for row in rows} == {'3000'}


def test_interval_of_a_mean_is_scipys():
    values = np.random.default_rng(0).exponential(size=200)
    expected = bootstrap(
        (values,), np.mean, n_resamples=4000, method='percentile', rng=0
    ).confidence_interval
    found = bootstrap_means(values, 4000)
    assert found == pytest.approx(tuple(expected), abs=0.02)


def test_refuses_what_was_tested_and_other_classes(tmp_path):
    run = overconfident(tmp_path / 'a', 60, 0)
    with pytest.raises(InputError, match='60 images in common'):
        calibrate(run, run)
    other = overconfident(tmp_path / 'b', 60, 1, codes='ABCE', prefix='v')
    with pytest.raises(InputError, match='A B C E'):
        calibrate(run, other)
