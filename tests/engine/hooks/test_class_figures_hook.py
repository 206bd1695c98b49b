import csv

import pytest
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

pytestmark = pytest.mark.slow


def test_a_tracker_has_the_figures_of_a_test(
    tool, cells, tmp_path, monkeypatch
):
    monkeypatch.setenv('BM_DATA_ROOT', str(cells))
    options = ['load_from=None', 'tracker=tensorboard']
    status, _, errors = tool(
        'test',
        'configs/linear_tiny_bm.py',
        *('--work-dir', tmp_path),
        *('--cfg-options', *options),
    )
    assert status == 0, errors
    [folder] = tmp_path.glob('*/vis_data')
    events = EventAccumulator(str(folder))
    events.Reload()
    with open(tmp_path / 'per_class.csv') as stream:
        rows = [r for r in csv.DictReader(stream) if int(r['support'])]
    assert len(rows) == 3
    for row in rows:
        for score in ('precision', 'recall', 'f1'):
            [event] = events.Scalars(f'test/{score}/{row["code"]}')
            assert abs(event.value - float(row[score])) < 1e-5
    mean = sum(float(row['f1']) for row in rows) / 3
    [event] = events.Scalars('test/per_class/macro_f1')
    assert abs(event.value - mean) < 1e-5
    # Not in the file that tools/plot.py draws trainings from.
    scalars = folder / 'scalars.json'
    assert not scalars.exists() or 'test/' not in scalars.read_text()
