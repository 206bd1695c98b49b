import json

import pytest

from bm_plugins.errors import InputError
from bm_plugins.visualization.curves import curves_picture, read_curves


def record(folder, start, rows):
    file = folder / start / 'vis_data/scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    return file


def test_a_resumed_run_is_one_curve(tmp_path):
    record(
        tmp_path,
        '20260101_000000',
        [dict(loss=3.0, lr=0.1, time=9.9, step=10), dict(loss=2.0, step=20)],
    )
    file = record(
        tmp_path,
        '20260102_000000',
        [
            dict(loss=1.5, step=20),
            dict(loss=1.0, step=30),
            {'per_class/macro_f1': 0.4, 'step': 1},
        ],
    )
    with open(file, 'a') as stream:
        stream.write('{"loss": 0.')  # killed
    curves = read_curves(tmp_path)
    assert curves == {
        'loss': {10: 3.0, 20: 1.5, 30: 1.0},
        'lr': {10: 0.1},
        'per_class/macro_f1': {1: 0.4},
    }
    figure = curves_picture({'a': curves, 'b': curves})
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ['loss', 'lr', 'validation: macro_f1']
    (line, _) = figure.axes[0].get_lines()
    assert line.get_ydata().tolist() == [3.0, 1.5, 1.0]
    assert figure.axes[2].get_xlabel() == 'epoch'
    names = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert names == ['a', 'b']


def test_bad_input(tmp_path):
    with pytest.raises(InputError, match='work-dir of tools/train.py'):
        read_curves(tmp_path)
    file = record(tmp_path, '2', [dict(loss=1.0, step=1)])
    file.write_text('no\n' + file.read_text())
    with pytest.raises(InputError, match='line 1: no JSON'):
        read_curves(tmp_path)
