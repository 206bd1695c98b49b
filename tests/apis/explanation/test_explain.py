"""Single cells explained."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.explanation.explain import (
    explain,
    nearest_cells,
    read_cells,
)
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import tiny_bundle


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    names = [tmp_path / f'{i}.png' for i in range(2)]
    for name in names:
        cv2.imwrite(str(name), rng.integers(0, 256, (48, 48, 3), np.uint8))
    return names


def test_each_cell_by_itself(files):
    bundle = tiny_bundle()
    found = list(explain(bundle, files, nearest=4))
    for cell, file in zip(found, files, strict=True):
        image = cv2.imread(str(file))[..., ::-1]
        assert cell.path == str(file) and np.array_equal(cell.image, image)
        inputs = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
        with torch.no_grad():
            _, logits = build_model(bundle)(inputs)
        powers = np.exp(logits[0].double().numpy() / 1.5)
        np.testing.assert_allclose(
            cell.probabilities, powers / powers.sum(), atol=1e-6
        )
        assert cell.target == powers.argmax()
        assert cell.nearest.shape == cell.similarities.shape == (4,)
    for cell in explain(bundle, files, 'LYT'):
        assert cell.target == 1 and len(cell.nearest) == 6


def test_wrong_inputs(files, tmp_path):
    bundle = tiny_bundle()
    with pytest.raises(InputError, match='--class XYZ.*BLA LYT NGS'):
        next(explain(bundle, files, 'XYZ'))
    for wrong in (tmp_path / 'none.jpg', tmp_path):
        with pytest.raises(InputError, match='is no file'):
            read_cells(bundle, [files[0], wrong])
    (tmp_path / 'a.jpg').write_text('text')
    with pytest.raises(InputError, match=r'a.jpg \(cannot be decoded\)'):
        read_cells(bundle, [tmp_path / 'a.jpg'])
    cv2.imwrite(str(tmp_path / 'a.tif'), np.ones((9, 9, 3), np.float32))
    with pytest.raises(InputError, match='a.tif .*float32: save it with 8'):
        read_cells(bundle, [tmp_path / 'a.tif'])


def test_another_field_is_said(files, capsys):
    size = cv2.imread(str(files[0])).shape[0]
    scale = dict(width=2 * size, height=2 * size, um_per_px=0.1, share=1.0)
    bundle = tiny_bundle(info=dict(scale=scale))
    plain = read_cells(tiny_bundle(info=dict(scale=None)), files)
    assert 'does not say the scale' in capsys.readouterr().out
    found = read_cells(bundle, files)
    number = len(files)
    text = f'warning: {number} of {number} cells (100.0 %) are of another size'
    assert capsys.readouterr().out.count(text) == 1
    assert all((a == b).all() for a, b in zip(plain, found, strict=True))
    (cell, *_) = explain(bundle, files[:1], um_per_px=0.2)
    assert (cell.image == plain[0].transpose(1, 2, 0)).all()
    assert 'warning' not in capsys.readouterr().out
    read_cells(bundle, files, 0.1)
    assert '(100.0 %) show less around' in capsys.readouterr().out


def test_as_scikit_learn():
    reference = tiny_bundle().reference
    features = torch.randn(5, 64)
    similarities, rows = nearest_cells(features, reference, 6)
    other = NearestNeighbors(n_neighbors=6, metric='cosine')
    other.fit(reference.features.astype(float))
    distances, expected = other.kneighbors(features.double())
    assert np.array_equal(rows, expected)
    np.testing.assert_allclose(1 - similarities, distances, atol=1e-6)


def test_wrong_numbers():
    reference, cell = tiny_bundle().reference, torch.randn(1, 64)
    assert nearest_cells(cell, reference, 99)[1].shape == (1, 30)
    with pytest.raises(InputError, match='--nearest 0'):
        nearest_cells(cell, reference, 0)
    with pytest.raises(InputError, match='64 features a cell.*gives 8'):
        nearest_cells(cell[:, :8], reference, 3)
    empty = replace(reference, features=reference.features[:0])
    with pytest.raises(InputError, match='no reference cells'):
        nearest_cells(cell, empty, 3)
