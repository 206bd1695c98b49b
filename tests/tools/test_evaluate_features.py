"""The command line around features in a file."""

import json

import pytest

from bm_plugins.apis.features.feature_file import write_features
from tests.apis.features.test_feature_evaluation import blobs, rows


def write(file):
    found = blobs()
    write_features(
        file,
        [(list(range(len(found.labels))), found.features)],
        found.labels,
        found.paths,
        found.splits,
        dict(classes=found.classes, full_names=found.full_names, protocol='p'),
    )
    return file


@pytest.mark.slow
def test_neighbours_and_picture(tool, tmp_path):
    file = write(tmp_path / 'f.h5')
    out = tmp_path / 'knn'
    status, said, error = tool(
        'evaluate_features', file, '--knn', '5', '--out', out
    )
    assert status == 0 and 'predictions.csv' in said, error
    assert len(rows(out / 'predictions.csv')) == 30
    status, _, error = tool(
        'plot', 'tsne', file, '--out', out, '--per-class', '7'
    )
    assert status == 0 and (out / 'tsne.png').is_file(), error
    codes = [row['code'] for row in rows(out / 'tsne.csv')]
    assert {c: codes.count(c) for c in codes} == dict(BLA=7, LYT=7, NGS=7)


def test_weighting(tool, tmp_path):
    file = write(tmp_path / 'f.h5')
    for args, weight, loss in (
        ((), 'balanced', 'class-balanced'),
        (('--class-weight', 'none'), None, 'unweighted'),
    ):
        out = tmp_path / loss
        status, said, error = tool(
            'evaluate_features', file, '--out', out, *args
        )
        assert status == 0, error
        facts = json.loads((out / 'run.json').read_text())['classifier']
        assert facts['class_weight'] == weight
        assert facts['text'].startswith(f'{loss} cross-entropy, L2 ')
        assert f'by {loss} cross-entropy: 6 values' in said
        (text,) = {row['classifier'] for row in rows(out / 'figures.csv')}
        assert text == facts['text']


@pytest.mark.slow
def test_bad_input_is_one_line(tool, tmp_path):
    file = write(tmp_path / 'f.h5')

    def refused(name, *args):
        status, _, error = tool(name, *args, '--out', tmp_path / 'out')
        assert status == 2 and error.startswith('error: '), error
        assert len(error.splitlines()) == 1
        return error

    tested = 'evaluate_features'
    assert 'does not exist' in refused(tested, tmp_path / 'no.h5')
    assert '--knn 0' in refused(tested, file, '--knn', '0')
    error = refused(tested, file, '--train', 'test', 'val')
    assert '--train and --test both name test' in error
    assert 'no file of features' in refused(tested, __file__)
    assert 'holds features' in refused('plot', 'tsne', file, 'none')
    config = 'configs/linear_tiny_bm.py'
    assert 'needs a checkpoint' in refused('plot', 'tsne', config)
