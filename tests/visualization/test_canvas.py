import numpy as np
import pytest
from matplotlib.colors import to_rgb

from bm_plugins.errors import InputError
from bm_plugins.visualization.canvas import mark, new_figure, save


def test_marks_of_21_classes_differ():
    marks = [mark(i) for i in range(21)]
    assert len({*marks}) == 21
    colours = [np.array(to_rgb(c)) for c in {c for c, _ in marks}]
    apart = [
        np.abs(a - b).max() for i, a in enumerate(colours) for b in colours[:i]
    ]
    assert min(apart) > 0.2
    assert len({mark(i) for i in range(42)}) == 42


def test_a_picture_is_there_whole_or_not_at_all(tmp_path):
    figure = new_figure(2, 1)
    save(figure, tmp_path / 'a.png', dpi=50)
    assert (tmp_path / 'a.png').read_bytes()[:4] == b'\x89PNG'
    with pytest.raises(InputError, match='cannot write'):
        save(figure, tmp_path / 'gone/a.png')
