import json

import cv2
import pytest

from bm_plugins import cli
from bm_plugins.datasets.synthetic.collection import (
    IMAGE_FOLDER,
    MARKER,
    class_counts,
    image_path,
)
from bm_plugins.errors import InputError

tool = cli.load_tool('make_synthetic_marrow')


def files_of(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob('*')
        if path.is_file()
    }


@pytest.fixture(scope='module')
def collection(tmp_path_factory):
    out = tmp_path_factory.mktemp('synthetic') / 'cells'
    tool.main([str(out), '--images', '170', '--seed', '5'])
    return out


def test_layout_of_a_collection(collection):
    counts = class_counts(170)
    found = {name for name in files_of(collection) if name.endswith('.jpg')}
    assert found == {
        image_path(code, number, count)
        for code, count in counts.items()
        for number in range(1, count + 1)
    }
    for name in found:
        image = cv2.imread(str(collection / name), cv2.IMREAD_UNCHANGED)
        assert image.shape == (250, 250, 3)
        assert image.std() > 5, name


def test_complete_collection_is_left_alone(collection, capsys):
    before = {path: path.stat().st_mtime_ns for path in collection.rglob('*')}
    tool.main([str(collection), '--images', '170', '--seed', '5'])
    assert 'nothing to do' in capsys.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in collection.rglob('*')}
    assert after == before


def test_interrupted_is_completed_by_any_workers(collection, tmp_path):
    expected = files_of(collection)
    for name in list(expected)[:50]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b'half')
    marker = dict(images=170, seed=5, version=1, complete=False)
    (tmp_path / MARKER).write_text(json.dumps(marker))
    # What later steps put beside the images does not stand in the way.
    (tmp_path / 'split.csv').write_text('path,label,split\n')
    args = ['--images', '170', '--seed', '5', '--workers', '3']
    tool.main([str(tmp_path), *args])
    found = files_of(tmp_path)
    found.pop('split.csv')
    assert found == expected


def refused(*args):
    with pytest.raises(InputError) as caught:
        tool.main([str(arg) for arg in args])
    return str(caught.value)


def test_refuses_a_foreign_folder(tmp_path):
    (tmp_path / 'mine.txt').write_text('x')
    assert 'mine.txt' in refused(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']
    assert 'is a file' in refused(tmp_path / 'mine.txt')


def test_refuses_other_settings_and_strays(collection, tmp_path):
    message = refused(collection, '--images', 170, '--seed', 6)
    assert 'seed 5' in message and 'seed 6' in message
    stray = collection / IMAGE_FOLDER / 'ABE' / 'x.jpg'
    stray.touch()
    message = refused(collection, '--images', 170, '--seed', 5)
    stray.unlink()
    assert 'x.jpg' in message
    (tmp_path / MARKER).write_text('{')
    assert 'damaged' in refused(tmp_path)


def test_refuses_bad_numbers(tmp_path):
    assert '168' in refused(tmp_path, '--images', 167)
    assert 'seed' in refused(tmp_path, '--seed', -1)
    assert 'workers' in refused(tmp_path, '--workers', 0)
    assert not list(tmp_path.iterdir())


def test_contact_sheet(tmp_path):
    sheet = tmp_path / 'sheet.png'
    tool.main(['--contact-sheet', str(sheet)])
    assert cv2.imread(str(sheet)).shape == (7 * 72, 3 * (48 + 4 * 72), 3)
    assert sheet.stat().st_size < 500_000
    message = refused('--contact-sheet', tmp_path / 'no' / 'x.png')
    assert 'existing folder' in message
