import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from bm_plugins.errors import InputError
from bm_plugins.report.runs.results_table import results_table
from bm_plugins.report.runs.run_folder import read_run
from tests.report.written_run import draw, write_run


@pytest.fixture
def methods(tmp_path):
    labels, _ = draw(200, 0.5, seed=0)
    found = {}
    for name, accuracy in (('weak', 0.4), ('strong', 0.9)):
        found[name] = [
            read_run(
                write_run(
                    tmp_path / f'{name}_{seed}',
                    labels,
                    draw(200, accuracy, seed, labels=labels)[1],
                )
            )
            for seed in (1, 2)
        ]
    return found


def test_means_over_seeds(methods):
    table = results_table(methods, replicates=300)
    assert '200 test images of 4 classes; protocol: by hand' in table
    for name, runs in methods.items():
        row = next(
            line for line in table.splitlines() if line.startswith(f'| {name}')
        )
        cells = [cell.strip() for cell in row.split('|')[2:4]]
        for cell, score in zip(
            cells,
            (
                accuracy_score,
                lambda y, p: f1_score(y, p, average='macro'),
            ),
            strict=True,
        ):
            values = [score(run.labels, run.predictions) for run in runs]
            mean, low, high, std = map(float, re.findall(r'\d\.\d{3}', cell))
            assert mean == pytest.approx(np.mean(values), abs=6e-4)
            assert std == pytest.approx(np.std(values, ddof=1), abs=6e-4)
            assert low < mean < high
    difference = next(
        line
        for line in table.splitlines()
        if line.startswith(('| strong | +', '| strong | -'))
    )
    values = [
        np.mean(
            [f1_score(r.labels, r.predictions, average='macro') for r in g]
        )
        for g in methods.values()
    ]
    found, low, high = map(float, re.findall(r'[+-]\d\.\d{3}', difference))
    assert found == pytest.approx(values[1] - values[0], abs=6e-4)
    assert 0 < low < found < high


def test_how_linear_classifiers_were_fitted(methods):
    assert 'Linear classifiers' not in results_table(methods, replicates=20)
    methods['strong'] = [
        replace(run, classifier=f'balanced, L2 {l2}')
        for run, l2 in zip(methods['strong'], (1, 0.1), strict=True)
    ]
    lines = results_table(methods, replicates=20).splitlines()
    row = lines.index('Linear classifiers of frozen features:')
    assert lines[row + 1 : row + 4] == [
        '',
        '- strong: balanced, L2 1; balanced, L2 0.1',
        '',
    ]


def test_runs_of_other_images(methods, tmp_path):
    labels, scores = draw(10, 0.5, seed=0)
    methods['strong'][1] = read_run(write_run(tmp_path / 'x', labels, scores))
    with pytest.raises(InputError, match='test images'):
        results_table(methods)
