import numpy as np
import pytest
import torch

from bm_plugins.errors import InputError
from bm_plugins.evaluation.metrics.kept_batches import KeptBatch, join_batches
from bm_plugins.evaluation.metrics.kept_batches import keep_batch as keep


def sample(index, scores, label=0, **more):
    return dict(
        sample_idx=index,
        path=f'A/{index}, "x".jpg',
        gt_label=torch.tensor([label]),
        pred_score=torch.tensor(scores),
    ) | dict(more)


def test_by_hand():
    batch = keep([sample(4, [0.25, 0.75], 1), sample(2, [1.0, 0.0])])
    assert batch.indices.tolist() == [4, 2]
    assert batch.labels.tolist() == [1, 0]
    assert batch.labels.dtype == batch.indices.dtype == np.int64
    assert batch.scores.tolist() == [[0.25, 0.75], [1, 0]]
    assert batch.scores.dtype == np.float32
    assert batch.paths == 'A/4, "x".jpg\0A/2, "x".jpg'


def test_other_kinds_of_values():
    half = torch.tensor([0.5, 0.5], dtype=torch.bfloat16)
    one = sample(0, [0.0, 0.0], gt_label=1, pred_score=half)
    del one['path']
    batch = keep([one | dict(img_path='/x/b.jpg')])
    assert batch.labels.tolist() == [1] and batch.paths == '/x/b.jpg'
    assert batch.scores.tolist() == [[0.5, 0.5]]
    assert keep([one]).paths == ''
    with pytest.raises(InputError, match='with_label=True'):
        keep([sample(0, [1.0]), dict(sample_idx=1)])


def test_in_order_and_the_last_of_a_repeated_one():
    batches = [
        keep([sample(1, [0.1]), sample(3, [0.3])]),
        keep([sample(0, [0.0]), sample(2, [0.2])]),
        keep([sample(4, [0.4]), sample(1, [0.9])]),
    ]
    for given in (batches, [tuple(b) for b in batches]):
        paths, labels, scores = join_batches(given)
        assert paths == [f'A/{i}, "x".jpg' for i in range(5)]
        assert labels.tolist() == [0] * 5
        expected = np.array([[0.0], [0.9], [0.2], [0.3], [0.4]], np.float32)
        assert np.array_equal(scores, expected)


def test_bytes_of_each_image():
    """4 bytes a class and 16 more, and the path: 135 of this release's."""
    scores = torch.full((21,), 1 / 21)
    path = 'BLA/0001-1000/BLA_00001.jpg'
    batch = keep(
        [sample(i, [0.0], pred_score=scores, path=path) for i in range(64)]
    )
    assert isinstance(batch, KeptBatch)
    arrays = batch.indices.nbytes + batch.labels.nbytes + batch.scores.nbytes
    assert arrays == 64 * (4 * 21 + 16)
    assert len(batch.paths) == 64 * (len(path) + 1) - 1
