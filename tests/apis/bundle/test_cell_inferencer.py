"""The inferencer, against the network and against mmpretrain's keys."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from bm_plugins.apis.bundle.bundle_file import save_bundle
from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.bundle.cell_inferencer import CellInferencer
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
    inferencer = CellInferencer(tiny_bundle(), 'cpu', channel_order='bgr')
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


def scores(inferencer, *images):
    return [cell['pred_scores'] for cell in inferencer(list(images))]


def test_images_of_any_origin_are_those_of_their_file(files):
    rgb = np.array(Image.open(files[0]).convert('RGB'))
    alpha = np.full((*rgb.shape[:2], 1), 7, np.uint8)
    bundle = tiny_bundle()
    of_rgb = CellInferencer(bundle, 'cpu', channel_order='rgb')
    (expected,) = scores(of_rgb, files[0])
    mixed = scores(
        of_rgb,
        files[0],
        Image.open(files[0]),
        Image.fromarray(np.dstack([rgb, alpha])),
        rgb,
        np.dstack([rgb, alpha]),
    )
    of_bgr = CellInferencer(bundle, 'cpu', channel_order='bgr')
    mixed += scores(of_bgr, rgb[..., ::-1], str(files[0]))
    for found in mixed:
        np.testing.assert_allclose(found, expected, atol=1e-6)
    (other,) = scores(of_rgb, rgb[..., ::-1])
    assert np.abs(other - expected).max() > 1e-4  # the order matters
    # grey needs no order
    grey = Image.fromarray(rgb).convert('L')
    unsaid = CellInferencer(bundle, 'cpu')
    three = scores(unsaid, grey, np.array(grey), np.array(grey)[..., None])
    for found in three[1:]:
        np.testing.assert_allclose(found, three[0], atol=1e-6)


RGB = np.zeros((40, 60, 3), np.uint8)


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (RGB, r"\(40, 60, 3\) of uint8 .* say .*channel_order='rgb'"),
        (RGB.astype(np.uint16) * 257, 'of uint16: expected uint8'),
        (RGB / 255.0, 'of float64: expected uint8'),
        (RGB > 3, 'of bool: expected uint8'),
        (RGB.transpose(2, 0, 1), r'Give image.transpose\(1, 2, 0\)'),
        (RGB[None], 'Of several images give a list'),
        (RGB[:0], r'\(0, 60, 3\)'),
        (RGB[..., :2], r'\(40, 60, 2\)'),
        (RGB.astype(object), 'of object: expected uint8'),
        (torch.zeros(3, 40, 60), 'of type Tensor: .*permute'),
        (b'bytes', 'of type bytes: expected a path'),
        (None, 'of type NoneType'),
        ([RGB, RGB], 'of type list'),
        (Image.new('F', (9, 9)), 'PIL image of mode F: .* 8 or 16 bits'),
        (Image.new('I;16', (9, 9)), 'PIL image of mode I;16'),
    ],
)
def test_what_is_in_doubt_is_refused(image, message):
    inferencer = CellInferencer(tiny_bundle(), 'cpu')
    with pytest.raises(InputError, match=message):
        inferencer([image])


def test_another_channel_order():
    with pytest.raises(InputError, match="channel_order='RGB': expected"):
        CellInferencer(tiny_bundle(), 'cpu', channel_order='RGB')


def test_a_broken_file_of_a_folder_is_skipped_and_named(files, tmp_path):
    (tmp_path / 'b.png').write_text('no image')
    inferencer = CellInferencer(tiny_bundle(), 'cpu')
    results = inferencer(tmp_path)
    assert [cell['path'] for cell in results] == [
        str(files[0]),
        str(files[2]),
    ]
    ((path, reason),) = inferencer.skipped
    assert path == str(files[1]) and 'cannot be decoded' in reason
    (sample, _) = inferencer(tmp_path, return_datasamples=True)
    assert sample.path == str(files[0])
    inferencer(files[0])
    assert inferencer.skipped == []  # of the last call
    for file in files:
        file.write_text('no image')
    with pytest.raises(UnreadableImage, match='3 of 3 files'):
        inferencer(tmp_path)


def test_range_and_field_are_those_of_predict(tmp_path):
    """12-bit values of a camera; an image of another size."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)
    small[0, 0] = 255
    cv2.imwrite(str(tmp_path / 'deep.tif'), small.astype(np.uint16) << 4)
    cv2.imwrite(str(tmp_path / 'plain.png'), small)
    cv2.imwrite(str(tmp_path / 'large.png'), cv2.resize(small, (96, 96)))
    scale = dict(width=48, height=48, um_per_px=None, share=1.0)
    bundle = tiny_bundle(info=dict(scale=scale))
    deep, large, plain = CellInferencer(bundle, 'cpu')(tmp_path)
    np.testing.assert_allclose(deep['pred_scores'], plain['pred_scores'])
    assert [cell['field'] for cell in (deep, large, plain)] == ['', 'size', '']
    results = CellInferencer(bundle, 'cpu', um_per_px='same')(tmp_path)
    assert [cell['field'] for cell in results] == ['', '', '']


def test_16_bit_files_are_read_by_the_range_of_all(tmp_path):
    """As the same pictures of 8 bits, from a folder and from a list."""
    rng = np.random.default_rng(0)
    images = [np.full((48, 48, 3), 62, np.uint8)]
    images.append(rng.integers(0, 256, (48, 48, 3), np.uint8))
    for image, name in zip(images, 'ab', strict=True):
        cv2.imwrite(
            str(tmp_path / f'{name} [x=1].tif'), image.astype(np.uint16) << 4
        )
    inferencer = CellInferencer(tiny_bundle(), 'cpu', channel_order='bgr')
    expected = [result['pred_scores'] for result in inferencer(images)]
    for source in (tmp_path, sorted(tmp_path.iterdir())):
        found = [result['pred_scores'] for result in inferencer(source)]
        np.testing.assert_allclose(found, expected, atol=1e-6)
