"""The inferencer, against the network and against mmpretrain's keys."""

import cv2
import numpy as np
import pytest
import torch

from bm_plugins.apis.bundle_file import save_bundle
from bm_plugins.apis.bundle_model import build_model
from bm_plugins.apis.cell_inferencer import CellInferencer
from bm_plugins.errors import InputError, UnreadableImage
from tests.apis.tiny_bundle import CODES, tiny_bundle


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    for name in 'abc':
        image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f'{name}.png'), image)
    return sorted(tmp_path.iterdir())


def test_equals_the_network(files, tmp_path):
    bundle = tiny_bundle()
    save_bundle(bundle, tmp_path / 'cells.bundle')
    results = CellInferencer(tmp_path / 'cells.bundle', 'cpu')(
        files, batch_size=2
    )
    images = [
        cv2.resize(cv2.imread(str(f)), (48, 48), None, 0, 0, cv2.INTER_AREA)
        for f in files
    ]
    batch = torch.from_numpy(np.stack(images)[..., ::-1].copy())
    with torch.no_grad():
        features, logits = build_model(bundle)(batch.permute(0, 3, 1, 2))
    expected = (logits.double() / 1.5).softmax(1).numpy()
    assert len(results) == 3
    for result, score, feature in zip(
        results, expected, features, strict=True
    ):
        np.testing.assert_allclose(result['pred_scores'], score, atol=1e-6)
        np.testing.assert_allclose(result['features'], feature, atol=1e-5)
        assert result['pred_label'] == score.argmax()
        assert result['pred_class'] == CODES[score.argmax()]
        assert result['pred_score'] == result['pred_scores'].max()


def test_one_image_a_folder_and_an_array(files, tmp_path):
    inferencer = CellInferencer(tiny_bundle(), 'cpu')
    (one,) = inferencer(str(files[1]))
    assert np.array_equal(
        inferencer(cv2.imread(str(files[1])))[0]['pred_scores'],
        one['pred_scores'],
    )
    folder = inferencer(tmp_path)
    assert len(folder) == 3
    np.testing.assert_allclose(
        folder[1]['pred_scores'], one['pred_scores'], atol=1e-6
    )
    (sample,) = inferencer(files[1], return_datasamples=True)
    assert sample.pred_label.item() == one['pred_label']
    assert sample.flag == one['flag']


def test_wrong_input_is_named(files, tmp_path):
    inferencer = CellInferencer(tiny_bundle(), 'cpu')
    (tmp_path / 'd.png').write_text('no image')
    with pytest.raises(UnreadableImage, match='d.png .cannot be decoded'):
        inferencer([files[0], tmp_path / 'd.png'])
    with pytest.raises(InputError, match='error-rate 1'):
        CellInferencer(tiny_bundle(), error_rate=1)
    with pytest.raises(InputError, match='device cuda:99'):
        CellInferencer(tiny_bundle(), device='cuda:99')
