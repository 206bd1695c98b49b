"""Means over some of a run's classes, as a column of the report has them."""

from math import sqrt

import numpy as np
import pytest

from bm_plugins.report.runs.method_column import read_method
from bm_plugins.report.runs.run_folder import read_run
from tests.report.written_run import write_run


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """Five test images of A and of B, all right; C and D are mixed up."""
    labels = np.repeat([0, 1, 2, 3], 5)
    predicted = np.where(labels < 2, labels, 2)
    scores = 0.7 * np.eye(4)[predicted] + 0.075
    return write_run(tmp_path_factory.mktemp('run'), labels, scores)


def test_recalls_of_few_images_that_are_all_right_have_an_interval(run):
    """Wilson's lower end of 5 in 5 is 5 / (5 + 1.96²); two such arms."""
    mean = read_method(run, 'a', ('A', 'B')).common['recall']
    arm = 1 - 5 / (5 + 1.959964**2)
    assert (mean.value, mean.high) == (1, 1)
    assert mean.low == pytest.approx(1 - sqrt(2 * arm**2) / 2, abs=1e-5)


@pytest.mark.parametrize('metric', ['precision', 'recall', 'f1'])
def test_the_mean_of_all_classes_has_one_interval(run, metric):
    found = read_method(run, 'a', ('A', 'B', 'C', 'D')).common[metric]
    figure = read_run(run).figures[f'macro_{metric}', 'all']
    expected = (figure.value, figure.low, figure.high)
    assert (found.value, found.low, found.high) == expected
