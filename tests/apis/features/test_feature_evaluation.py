"""Classifying features in a file."""

import csv

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from bm_plugins.apis.features.feature_evaluation import evaluate_features
from bm_plugins.apis.features.feature_file import FeatureFile
from bm_plugins.errors import InputError

CODES = ('BLA', 'LYT', 'NGS')


def blobs(each=40, spread=1.5):
    """Three clouds that overlap; a quarter of each tests."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(3), each)
    values = rng.normal(0, 2, (3, 8))[labels]
    values += rng.normal(0, spread, values.shape)
    splits = ['test' if i % 4 == 0 else 'train' for i in range(3 * each)]
    splits[1] = 'val'
    return FeatureFile(
        values.astype(np.float32),
        labels,
        [f'{i}.jpg' for i in range(3 * each)],
        splits,
        CODES,
        CODES,
        dict(protocol='by hand'),
    )


def rows(file):
    with open(file, newline='') as stream:
        return list(csv.DictReader(stream))


def test_neighbours_as_scikit_learns(tmp_path):
    found = blobs()
    metrics, _ = evaluate_features(found, tmp_path, neighbours=7)
    asked = np.array(found.splits) == 'test'
    unit = found.features / np.linalg.norm(found.features, axis=1)[:, None]
    theirs = KNeighborsClassifier(
        7,
        algorithm='brute',
        metric='cosine',
        weights=lambda distance: np.exp((1 - distance) / 0.07),
    ).fit(unit[~asked], found.labels[~asked])
    expected = theirs.predict_proba(unit[asked])
    written = rows(tmp_path / 'predictions.csv')
    assert [row['path'] for row in written] == [
        path for path, own in zip(found.paths, asked, strict=True) if own
    ]
    scores = [[float(row[f'p_{code}']) for code in CODES] for row in written]
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    right = (expected.argmax(1) == found.labels[asked]).mean()
    assert 0.5 < right < 1 and metrics['accuracy'] == pytest.approx(right)
    assert {file.name for file in tmp_path.iterdir()} == {
        'per_class.csv',
        'figures.csv',
        'confusion_matrix.csv',
        'predictions.csv',
    }


def test_the_probe_learns_from_the_parts_that_are_named(tmp_path):
    found = blobs(spread=0.3)
    metrics, probe = evaluate_features(found, tmp_path / 'a', ['train'])
    assert metrics['accuracy'] == 1
    figures = rows(tmp_path / 'a/figures.csv')
    assert {row['protocol'] for row in figures} == {'by hand'}
    assert {row['classifier'] for row in figures} == {probe.text}
    assert probe.class_weight == 'balanced'
    evaluate_features(found, tmp_path / 'b', ['train'], ['val'], 1)
    assert [row['path'] for row in rows(tmp_path / 'b/predictions.csv')] == [
        '1.jpg'
    ]
    figures = rows(tmp_path / 'b/figures.csv')
    assert {row['protocol'] for row in figures} == {'by hand; val part'}


def test_a_part_that_is_not_there(tmp_path):
    found = blobs()
    found.splits[1] = 'train'
    with pytest.raises(InputError, match='no features of val'):
        evaluate_features(found, tmp_path, test=('val',))
