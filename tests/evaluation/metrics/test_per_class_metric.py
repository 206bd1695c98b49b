import csv

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from sklearn.metrics import confusion_matrix, f1_score

from bm_plugins.errors import InputError
from bm_plugins.evaluation import PerClassMetric
from bm_plugins.evaluation.functional.intervals import wilson
from bm_plugins.evaluation.metrics.per_class_metric import (
    KeptBatch,
    join_batches,
)
from bm_plugins.evaluation.metrics.per_class_metric import keep_batch as keep

CODES = ('AAA', 'BBB', 'CCC', 'DDD')
N = 37


def truth():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, N)  # DDD has no test image
    scores = rng.dirichlet(np.ones(4), N).astype(np.float32)
    return labels, scores


def sample(index):
    labels, scores = truth()
    return dict(
        sample_idx=index,
        img_path=f'x,{index}.jpg',
        path=f'x,{index}.jpg',
        gt_label=torch.tensor([labels[index]]),
        pred_score=torch.from_numpy(scores[index]),
    )


def evaluate(folder, indices, **settings):
    folder.mkdir(exist_ok=True)
    neighbours = folder / 'neighbours.csv'
    neighbours.write_text('code,neighbour\nAAA,BBB\n')
    settings = dict(min_support=5, neighbours=str(neighbours)) | settings
    metric = PerClassMetric(out_dir=str(folder), **settings)
    metric.dataset_meta = dict(classes=CODES, protocol='stratified, seed 0')
    for start in range(0, len(indices), 8):
        batch = [sample(i) for i in indices[start : start + 8]]
        metric.process(None, batch)
    return metric.evaluate(N)


def read(file):
    with open(file, newline='') as stream:
        return list(csv.DictReader(stream))


def check_files(folder):
    labels, scores = truth()
    predictions = scores.argmax(1)
    rows = read(folder / 'per_class.csv')
    assert list(rows[0]) == [
        'code',
        'name',
        'support',
        'precision',
        'recall',
        'f1',
    ]
    expected = f1_score(labels, predictions, labels=[0, 1, 2], average=None)
    for row, f1, n in zip(rows, expected, np.bincount(labels), strict=False):
        assert float(row['f1']) == pytest.approx(f1, abs=1e-6)
        assert int(row['support']) == n
    assert rows[3] == dict(
        code='DDD', name='DDD', support='0', precision='', recall='', f1=''
    )
    matrix = [
        [int(row[code]) for code in CODES]
        for row in read(folder / 'confusion_matrix.csv')
    ]
    expected = confusion_matrix(labels, predictions, labels=range(4))
    assert matrix == expected.tolist()
    rows = read(folder / 'predictions.csv')
    assert [row['path'] for row in rows] == [f'x,{i}.jpg' for i in range(N)]
    assert [row['label'] for row in rows] == [CODES[i] for i in labels]
    assert [row['pred'] for row in rows] == [CODES[i] for i in predictions]
    figures = read(folder / 'figures.csv')
    assert list(figures[0]) == [
        'score',
        'of',
        'n',
        'classes',
        'value',
        'low',
        'high',
        'interval',
        'protocol',
        'classifier',
    ]
    assert {row['protocol'] for row in figures} == {'stratified, seed 0'}
    assert {row['classifier'] for row in figures} == {''}  # no linear one
    (accuracy,) = [row for row in figures if row['score'] == 'accuracy']
    right = (labels == predictions).sum()
    ends = wilson(right, N)
    assert float(accuracy['value']) == pytest.approx(right / N)
    assert [float(accuracy[key]) for key in ('low', 'high')] == pytest.approx(
        [*ends]
    )
    saved = [[float(row[f'p_{code}']) for code in CODES] for row in rows]
    np.testing.assert_allclose(saved, scores, atol=1e-6)


def test_one_process(tmp_path):
    result = evaluate(tmp_path, list(range(N)))
    check_files(tmp_path)
    labels, scores = truth()
    assert result['per_class/macro_f1'] == pytest.approx(
        f1_score(labels, scores.argmax(1), labels=[0, 1, 2], average='macro')
    )
    assert sorted(result) == sorted(
        f'per_class/{key}'
        for key in (
            'accuracy',
            'calibration_error',
            'tolerant_accuracy',
            'tolerant_macro_f1',
            'balanced_accuracy',
            'macro_precision',
            'macro_recall',
            'macro_f1',
            'macro_precision_min_support',
            'macro_recall_min_support',
            'macro_f1_min_support',
            'weighted_precision',
            'weighted_recall',
            'weighted_f1',
        )
    )


def evaluate_rank(folder):
    # 37 samples on 2 ranks: DefaultSampler pads by repeating one.
    sampler = DefaultSampler(range(N), shuffle=False)
    rank = torch.distributed.get_rank()
    result = evaluate(folder, list(sampler))
    torch.save(result, f'{folder}/{rank}.pth')


def test_two_processes_with_padding(run_ranks, tmp_path):
    alone = evaluate(tmp_path / 'alone', list(range(N)))
    run_ranks(evaluate_rank, 2, tmp_path)
    for rank in range(2):
        assert torch.load(tmp_path / f'{rank}.pth') == alone
    check_files(tmp_path)


def test_table_says_what_the_averages_run_over(tmp_path, capfd):
    from mmengine.logging import MMLogger

    logger = MMLogger.get_instance('table', log_file=str(tmp_path / 'log'))
    MMLogger._instance_dict['table'] = logger
    counts = np.bincount(truth()[0])
    least = int(sorted(counts)[1])
    evaluate(tmp_path, list(range(N)), min_support=least)
    text = (tmp_path / 'log').read_text()
    assert f'{N} test images; protocol: stratified, seed 0' in text
    (line,) = [line for line in text.splitlines() if 'macro F1  ' in line]
    assert '3 classes' in line and line.endswith(' 2')
    assert f'n >= {least} alone: ' in line
    assert 'no test images: DDD' in text
    few = CODES[int(counts.argmin())]
    assert f'few test images: {few}' in text


def test_no_labels_and_other_number_of_classes(tmp_path):
    metric = PerClassMetric()
    metric.dataset_meta = dict(classes=CODES[:3])
    bare = {k: v for k, v in sample(0).items() if k != 'gt_label'}
    with pytest.raises(InputError, match='with_label=True'):
        metric.process(None, [bare])
    metric.process(None, [sample(0)])
    with pytest.raises(InputError, match='scores 4 classes.*has 3'):
        metric.evaluate(1)


def kept_sample(index, scores, label=0, **more):
    return dict(
        sample_idx=index,
        path=f'A/{index}, "x".jpg',
        gt_label=torch.tensor([label]),
        pred_score=torch.tensor(scores),
    ) | dict(more)


def test_by_hand():
    batch = keep([kept_sample(4, [0.25, 0.75], 1), kept_sample(2, [1.0, 0.0])])
    assert batch.indices.tolist() == [4, 2]
    assert batch.labels.tolist() == [1, 0]
    assert batch.labels.dtype == batch.indices.dtype == np.int64
    assert batch.scores.tolist() == [[0.25, 0.75], [1, 0]]
    assert batch.scores.dtype == np.float32
    assert batch.paths == 'A/4, "x".jpg\0A/2, "x".jpg'


def test_other_kinds_of_values():
    half = torch.tensor([0.5, 0.5], dtype=torch.bfloat16)
    one = kept_sample(0, [0.0, 0.0], gt_label=1, pred_score=half)
    del one['path']
    batch = keep([one | dict(img_path='/x/b.jpg')])
    assert batch.labels.tolist() == [1] and batch.paths == '/x/b.jpg'
    assert batch.scores.tolist() == [[0.5, 0.5]]
    assert keep([one]).paths == ''
    with pytest.raises(InputError, match='with_label=True'):
        keep([kept_sample(0, [1.0]), dict(sample_idx=1)])


def test_in_order_and_the_last_of_a_repeated_one():
    batches = [
        keep([kept_sample(1, [0.1]), kept_sample(3, [0.3])]),
        keep([kept_sample(0, [0.0]), kept_sample(2, [0.2])]),
        keep([kept_sample(4, [0.4]), kept_sample(1, [0.9])]),
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
        [
            kept_sample(i, [0.0], pred_score=scores, path=path)
            for i in range(64)
        ]
    )
    assert isinstance(batch, KeptBatch)
    arrays = batch.indices.nbytes + batch.labels.nbytes + batch.scores.nbytes
    assert arrays == 64 * (4 * 21 + 16)
    assert len(batch.paths) == 64 * (len(path) + 1) - 1
