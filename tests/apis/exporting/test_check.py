"""Images to check on, and how far outputs are apart."""

import cv2
import numpy as np
import pytest
import torch

from bm_plugins.apis.bundle.bundle import Reference
from bm_plugins.apis.exporting.check import (
    check_images,
    check_outputs,
    largest_difference,
    outputs_of,
)
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import tiny_bundle


def test_images_of_the_bundle_and_of_a_folder(tmp_path):
    images = check_images(tiny_bundle(), 4)
    assert images.shape == (4, 3, 48, 48) and images.dtype == torch.float32
    assert (images - 200).abs().max() <= 2  # grey, as JPEG keeps it
    for level in range(5):
        colour = np.full((60, 60, 3), (10 * level, 100, 250), np.uint8)  # BGR
        cv2.imwrite(str(tmp_path / f'{level}.png'), colour)
    images = check_images(tiny_bundle(), 3, tmp_path)
    assert images[:, :, 0, 0].tolist() == [
        [250, 100, 0],
        [250, 100, 20],
        [250, 100, 40],
    ]


def test_no_images(tmp_path):
    empty = Reference(torch.zeros(0, 64).half(), torch.zeros(0).long(), (), ())
    with pytest.raises(InputError, match='--check FOLDER'):
        check_images(tiny_bundle(reference=empty), 4)
    with pytest.raises(InputError, match='no images'):
        check_images(tiny_bundle(), 4, tmp_path)
    with pytest.raises(InputError, match='no such folder'):
        check_images(tiny_bundle(), 4, tmp_path / 'none')
    with pytest.raises(InputError, match='at least 1'):
        check_images(tiny_bundle(), 0)
    (tmp_path / 'a.jpg').write_text('no image')
    with pytest.raises(InputError, match='a.jpg'):
        check_images(tiny_bundle(), 4, tmp_path)


def test_batches_of_other_sizes_than_the_example():
    values, sizes = torch.arange(9).view(9, 1, 1, 1), []

    def run(batch):
        sizes.append(len(batch))
        return (2 * batch,)

    (found,) = outputs_of(run, values)
    assert torch.equal(found, 2 * values) and sizes == [1, 5, 3]
    outputs_of(run, values[:1])
    assert sizes[3:] == [1]


def test_difference_by_hand():
    small = torch.tensor([0.25, 0.5])
    large = torch.tensor([-400.0, 3.0])
    found = largest_difference(
        (small, torch.tensor([-400.0, 3.5])), (small, large)
    )
    assert found == 0.5 / 400
    assert largest_difference((small + 0.125,), (small,)) == 0.125
    nan = torch.tensor([0.25, float('nan')])
    assert largest_difference((nan,), (small,)) == float('inf')
    assert largest_difference((small[:1],), (small,)) == float('inf')


def test_difference_over_the_tolerance():
    images = torch.zeros(2, 1, 1, 1, dtype=torch.float64)

    def check(gap):
        expected = (images,)
        return check_outputs('a.onnx', lambda x: (x + gap,), images, expected)

    assert check(1e-4) == 1e-4
    for wrong in (1.01e-4, float('inf'), float('nan')):
        with pytest.raises(InputError, match='a.onnx differs'):
            check(wrong)
