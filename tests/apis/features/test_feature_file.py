"""Features as a file: written whole, read with checks."""

import errno
import os

import h5py
import numpy as np
import pytest

from bm_plugins.apis.features.feature_file import read_features, write_features
from bm_plugins.errors import InputError
from tests.full_disk import full_disk

VALUES = np.arange(20, dtype=np.float32).reshape(5, 4)
LABELS = [0, 1, 1, 0, 2]
PATHS = ['BLA/a.jpg', 'LYT/ü b.jpg', 'LYT/c.jpg', 'BLA/d.jpg', 'NGS/e.jpg']
SPLITS = ['train', 'val', 'train', 'test', 'test']
ATTRIBUTES = dict(
    classes=['BLA', 'LYT', 'NGS'],
    full_names=['Blasts', 'Lymphocytes', 'Neutrophils'],
    protocol='by hand',
    train_support=np.array([1, 2, 0]),
)


def batches():
    """Out of order, and one row twice, as ranks that pad give them."""
    for rows in ([3, 1], [4, 0, 2], [0]):
        yield np.array(rows), VALUES[rows]


def write(file, rows=None):
    return write_features(
        file, rows or batches(), LABELS, PATHS, SPLITS, ATTRIBUTES
    )


def test_comes_back_as_it_was(tmp_path):
    file = tmp_path / 'f.h5'
    assert write(file) == 4
    found = read_features(file)
    assert np.array_equal(found.features, VALUES)
    assert found.features.dtype == np.float32
    assert found.labels.tolist() == LABELS and found.labels.dtype == np.int64
    assert found.paths == PATHS and found.splits == SPLITS
    assert found.classes == ('BLA', 'LYT', 'NGS')
    assert found.full_names == ('Blasts', 'Lymphocytes', 'Neutrophils')
    assert found.attributes['protocol'] == 'by hand'
    assert found.attributes['train_support'].tolist() == [1, 2, 0]
    assert found.rows(('train', 'val')).tolist() == [0, 1, 2]
    assert [*tmp_path.iterdir()] == [file]


def test_a_part_that_is_not_there(tmp_path):
    file = tmp_path / 'f.h5'
    write_features(file, batches(), LABELS, PATHS, ['test'] * 5, ATTRIBUTES)
    with pytest.raises(InputError, match='no features of train/val.*test'):
        read_features(file).rows(('train', 'val'))


def test_a_run_that_ends_early_leaves_the_old_file(tmp_path):
    file = tmp_path / 'f.h5'
    file.write_text('old')

    def stops():
        yield np.array([0]), VALUES[:1]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(file, stops())
    bad = np.array([1, 2]), np.array([[1, 2, 3, 4], [1, np.inf, 3, 4]])
    with pytest.raises(InputError, match='features of LYT/c.jpg are not fin'):
        write(file, [bad])
    assert file.read_text() == 'old' and [*tmp_path.iterdir()] == [file]


def test_a_full_disk_ends_it_at_once(tmp_path):
    file, taken = tmp_path / 'f.h5', []

    def large():
        for row in range(5):
            taken.append(row)
            yield np.array([row]), np.zeros((1, 20_000))

    with full_disk(1 << 16), pytest.raises(InputError) as error:
        write(file, large())
    assert str(error.value).startswith(
        f'cannot write {file}: {os.strerror(errno.EFBIG)}.'
    )
    assert taken == [0] and not [*tmp_path.iterdir()]


def replace(name, value):
    def change(stream):
        del stream[name]
        stream[name] = value

    return change


def names(stream):
    stream.attrs['full_names'] = ['Blasts']


def support(stream):
    stream.attrs['train_support'] = [1, 2]


def no_classes(stream):
    del stream.attrs['classes']


def no_features(stream):
    del stream['features']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (no_features, 'lacks features .found labels, paths'),
        (no_classes, 'lacks classes'),
        (names, 'full_names do not fit .found 1 for 3'),
        (support, r'train_support does not fit .found shape \(2,\) for 3'),
        (replace('features', np.zeros((5, 0))), r'other shapes'),
        (replace('features', np.zeros((4, 2))), '4 features, 5 labels'),
        (replace('features', np.zeros(5)), r'other shapes .found \(5,\)'),
        (replace('features', np.zeros((5, 2), int)), 'other types'),
        (replace('features', np.full((5, 2), np.nan)), '5 rows, first BLA/a'),
        (replace('labels', np.array([0, 1, 1, 0, 3])), '0 to 3 for 3 classes'),
        (replace('labels', np.array([0, 1, 1, 0, -1])), 'out of range'),
        (replace('splits', ['train'] * 4 + ['dev']), 'unknown .found dev'),
        (replace('paths', np.arange(5)), 'cannot be read'),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, message):
    file = tmp_path / 'f.h5'
    write(file)
    with h5py.File(file, 'a') as stream:
        change(stream)
    with pytest.raises(InputError, match=f'f.h5 is no file of .*{message}'):
        read_features(file)


def test_other_files(tmp_path):
    with pytest.raises(InputError, match='none.h5 does not exist'):
        read_features(tmp_path / 'none.h5')
    file = tmp_path / 'f.h5'
    file.write_text('path,label\n')
    with pytest.raises(InputError, match='f.h5 is no file of .*cannot be re'):
        read_features(file)
    write(file)
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(InputError, match='f.h5 is no file of .*cannot be re'):
        read_features(file)


def test_a_row_that_was_never_written_is_found(tmp_path):
    file = tmp_path / 'f.h5'
    write(file, [(np.array([0, 1, 2, 3]), VALUES[:4])])
    with pytest.raises(InputError, match='1 rows, first NGS/e.jpg'):
        read_features(file)
