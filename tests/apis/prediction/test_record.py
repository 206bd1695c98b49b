"""Which prediction a folder holds."""

import os
import signal

import pytest

from bm_plugins.apis.prediction.record import PredictionRecord
from bm_plugins.errors import InputError
from tests.utils.test_files import read_only  # noqa: F401

IDENTITY = dict(cells='1', bundle='2', error_rate=0.05, chunk=9, features=None)


def test_goes_on_and_is_complete(tmp_path):
    first = PredictionRecord(tmp_path, IDENTITY)
    assert first.finished is None and first.parts.is_dir()
    first.release()
    again = PredictionRecord(tmp_path, IDENTITY)
    assert again.key == first.key and again.finished is None
    for name in ('predictions.csv', 'skipped.csv'):
        (tmp_path / name).write_text('x')
    again.finish(predicted=3)
    with pytest.raises(OSError), again.remade_report(dict(cells=4)):
        raise OSError
    assert again.report is None
    with again.remade_report(dict(cells=5)):
        assert again.report is None
    again.release()
    assert not again.parts.exists()
    complete = PredictionRecord(tmp_path, IDENTITY)
    assert complete.finished == dict(predicted=3)
    assert complete.report is None  # as the page is not there
    for name in ('differential.csv', 'report.html'):
        (tmp_path / name).write_text('x')
    complete = PredictionRecord(tmp_path, IDENTITY)
    assert complete.report == dict(cells=5)
    (tmp_path / 'skipped.csv').unlink()
    with pytest.raises(InputError, match='skipped.csv of a complete'):
        PredictionRecord(tmp_path, IDENTITY)


def test_a_record_of_an_earlier_version_is_the_same_prediction(tmp_path):
    PredictionRecord(tmp_path, IDENTITY).finish(predicted=3)
    for name in ('predictions.csv', 'skipped.csv'):
        (tmp_path / name).write_text('x')
    now = PredictionRecord(
        tmp_path, IDENTITY | dict(um_per_px=None, bits=None)
    )
    assert now.finished == dict(predicted=3)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(cells='x'), r'another folder content .or list'),
        (dict(bundle='x'), 'another bundle'),
        (dict(error_rate=0.1), 'another --error-rate'),
        (dict(features='/f.h5'), 'another --features'),
        (dict(um_per_px=0.1), 'another --um-per-px'),
        (dict(bits=12), 'another range of 16-bit values'),
        (
            dict(cells='x', chunk=1),
            r'another folder content \(or list of images\), another --chunk',
        ),
    ],
)
def test_another_prediction_is_refused_until_overwritten(
    tmp_path, change, message
):
    PredictionRecord(tmp_path, IDENTITY).finish(predicted=1)
    (tmp_path / 'predictions.csv').write_text('old')
    other = IDENTITY | change
    with pytest.raises(InputError, match=f'{message}.*--overwrite'):
        PredictionRecord(tmp_path, other)
    assert (tmp_path / 'predictions.csv').read_text() == 'old'
    record = PredictionRecord(tmp_path, other, overwrite=True)
    assert record.finished is None
    assert not (tmp_path / 'predictions.csv').exists()


def test_files_of_another_origin(tmp_path):
    (tmp_path / 'report.html').write_text('mine')
    with pytest.raises(InputError, match='report.html is there, of another'):
        PredictionRecord(tmp_path, IDENTITY)
    (tmp_path / 'f.h5').write_text('mine')
    with_features = IDENTITY | dict(features=str(tmp_path / 'f.h5'))
    with pytest.raises(InputError, match='f.h5 is there, of another origin'):
        PredictionRecord(tmp_path, with_features)
    assert (tmp_path / 'report.html').read_text() == 'mine'


def test_damaged_record_and_file_in_the_way(tmp_path):
    (tmp_path / 'prediction.json').write_text('{')
    with pytest.raises(InputError, match='prediction.json cannot be read'):
        PredictionRecord(tmp_path, IDENTITY)
    with pytest.raises(InputError, match='cannot be made'):
        PredictionRecord(tmp_path / 'prediction.json', IDENTITY)
    no_folder = IDENTITY | dict(features='/no/f.h5')
    with pytest.raises(InputError, match='features /no/f.h5: its folder'):
        PredictionRecord(tmp_path / 'new', no_folder)


def test_another_process_at_the_same_time(tmp_path):
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        record = PredictionRecord(tmp_path, IDENTITY)
        record.finish(predicted=1)  # and writes the report now
        os.write(tell, b'1')
        signal.pause()
    os.read(ready, 1)
    with pytest.raises(InputError, match='another run is writing'):
        PredictionRecord(tmp_path, IDENTITY)
    with pytest.raises(InputError, match='another run is writing'):
        PredictionRecord(tmp_path, IDENTITY, overwrite=True)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    (tmp_path / 'predictions.csv').write_text('x')
    (tmp_path / 'skipped.csv').write_text('x')
    assert PredictionRecord(tmp_path, IDENTITY).finished == dict(predicted=1)


def test_overwrite_goes_on_with_the_same_and_deletes_another(tmp_path):
    PredictionRecord(tmp_path, IDENTITY).release()
    part = tmp_path / 'parts/0000000.npz'
    part.parent.mkdir()
    part.write_text('a part')
    PredictionRecord(tmp_path, IDENTITY, overwrite=True).release()
    assert part.exists()
    other = PredictionRecord(tmp_path, IDENTITY | dict(bundle='3'), True)
    assert not part.exists()
    other.finish(predicted=1)
    part.write_text('another')
    other.release()
    assert part.exists()  # not of this run to delete


def test_a_folder_that_is_read_only(read_only):  # noqa: F811
    with pytest.raises(InputError, match='parts cannot be made: Permission'):
        PredictionRecord(read_only, IDENTITY)
    assert os.listdir(read_only) == ['a.csv']
