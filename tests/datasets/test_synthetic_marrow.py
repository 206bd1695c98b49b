import csv
import importlib.util
import json
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from bm_plugins.datasets.synthetic_marrow import (
    CODES,
    IMAGE_FOLDER,
    LOOKS,
    class_counts,
    draw_cell,
    encode_cell,
    image_path,
)
from bm_plugins.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
FLAT = {'ABE', 'BAS', 'FGC', 'HAC', 'KSC', 'LYI', 'OTH'}


def load_tool():
    path = ROOT / 'tools/make_synthetic_marrow.py'
    spec = importlib.util.spec_from_file_location('make_synthetic', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool()


def files_of(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob('*')
        if path.is_file()
    }


@pytest.fixture(scope='module')
def collection(tmp_path_factory):
    out = tmp_path_factory.mktemp('synthetic') / 'cells'
    assert tool.main([str(out), '--images', '170', '--seed', '5']) == 0
    return out


def test_image_depends_on_each_argument():
    one = encode_cell(0, 'NGS', 1)
    assert encode_cell(0, 'NGS', 1) == one
    others = [(1, 'NGS', 1), (0, 'NGB', 1), (0, 'NGS', 2)]
    assert all(encode_cell(*other) != one for other in others)


def test_image_paths():
    path = f'{IMAGE_FOLDER}/EBO/'
    assert image_path('EBO', 1, 57) == path + '0001-0057/EBO_00001.jpg'
    assert image_path('EBO', 1000, 2345) == path + '0001-1000/EBO_01000.jpg'
    assert image_path('EBO', 1001, 2345) == path + '1001-2000/EBO_01001.jpg'
    assert image_path('EBO', 2001, 2345) == path + '2001-2345/EBO_02001.jpg'
    assert image_path('EBO', 12001, 13000).endswith(
        '/12001-13000/EBO_12001.jpg'
    )
    for code in CODES:
        flat = image_path(code, 7, 9).count('/') == 2
        assert flat == (code in FLAT), code


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


@pytest.mark.parametrize('images', [168, 169, 1000, 1500, 2000, 30001])
def test_counts_are_long_tailed_and_sum(images):
    counts = class_counts(images)
    assert tuple(counts) == CODES == tuple(sorted(CODES))
    assert sum(counts.values()) == images
    assert min(counts.values()) >= max(8, images / 100)
    if images >= 1500:
        assert counts['NGS'] > 6 * counts['ABE']
        assert counts['EBO'] > counts['BLA'] > counts['MON'] > counts['OTH']


def test_supports_equal_the_releases_table():
    table = ROOT.parent / 'shared/facts/classes.csv'
    if not table.is_file():
        pytest.skip('the table of the release is not beside the project')
    with open(table) as file:
        rows = {row['code']: row for row in csv.DictReader(file)}
    assert {c: int(rows[c]['support']) for c in rows} == {
        code: look.support for code, look in LOOKS.items()
    }


@lru_cache
def measures(code, count=10):
    """Medians of a class: shares of all pixels, and colour contrasts."""
    values = []
    for number in range(1, count + 1):
        image = draw_cell(0, code, number).astype(np.float32)
        # Optical density undoes lamp and background.
        lamp = np.percentile(image, 97, axis=(0, 1))
        density = -np.log((image + 4) / (lamp + 4))[40:210, 40:210]
        red, green, blue = np.moveaxis(density, -1, 0)
        dark = (green > 1.0).astype(np.uint8)
        contours = cv2.findContours(
            dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )[0]
        solid = 1.0
        if contours:
            largest = max(contours, key=cv2.contourArea)
            hull = cv2.contourArea(cv2.convexHull(largest))
            solid = cv2.contourArea(largest) / max(hull, 1)
        values.append(
            dict(
                nucleus=dark.mean(),
                blue=((red > 0.45) & (blue < 0.27)).mean(),
                orange=((blue > 0.3) & (red < 0.25)).mean(),
                solid=solid,
                sharp=np.abs(cv2.Laplacian(green, cv2.CV_32F)).mean(),
            )
        )
    return {key: np.median([v[key] for v in values]) for key in values[0]}


@pytest.mark.parametrize(
    'more,less,measure',
    [
        ('BLA', 'LYT', 'nucleus'),
        ('PMO', 'MMZ', 'nucleus'),
        ('LYT', 'EBO', 'nucleus'),
        ('PEB', 'BLA', 'blue'),
        ('PLM', 'EBO', 'blue'),
        ('EOS', 'NGS', 'orange'),
        ('EOS', 'ABE', 'orange'),
        ('MYB', 'MMZ', 'solid'),
        ('MMZ', 'NGB', 'solid'),
        ('BAS', 'NGS', 'nucleus'),
        ('PMO', 'BLA', 'sharp'),
        ('BAS', 'BLA', 'sharp'),
    ],
)
def test_known_pairs_of_classes_differ(more, less, measure):
    high, low = measures(more)[measure], measures(less)[measure]
    assert high > 1.03 * low, (high, low)


def test_every_class_looks_like_no_other():
    """Pictures of a class are nearer to it than chance would have them."""
    count = 10
    cells = np.stack(
        [
            [
                cv2.resize(
                    draw_cell(1, code, number)[60:190, 60:190],
                    (26, 26),
                    interpolation=cv2.INTER_AREA,
                )
                for number in range(1, count + 1)
            ]
            for code in CODES
        ]
    ).astype(np.float32)
    # Rotation does not matter: tones by distance from the middle.
    y, x = np.mgrid[-12.5:13, -12.5:13]
    ring = np.minimum(np.hypot(y, x), 12).astype(int)
    profile = [
        stat(cells[:, :, ring == r], axis=2)
        for r in range(13)
        for stat in (np.mean, np.std)
    ]
    features = np.concatenate(profile, -1)
    features /= features.std((0, 1))
    centres = features[:, : count // 2].mean(1)
    rest = features[:, count // 2 :]
    distance = ((rest[:, :, None] - centres) ** 2).sum(-1)
    nearest = distance.argmin(-1)
    hits = (nearest == np.arange(len(CODES))[:, None]).mean()
    assert hits > 5 / len(CODES)
    between = ((centres[:, None] - centres) ** 2).sum(-1)
    assert between[~np.eye(len(CODES), dtype=bool)].min() > 1


def test_complete_collection_is_left_alone(collection, capsys):
    before = {path: path.stat().st_mtime_ns for path in collection.rglob('*')}
    assert tool.main([str(collection), '--images', '170', '--seed', '5']) == 0
    assert 'nothing to do' in capsys.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in collection.rglob('*')}
    assert after == before


def test_interrupted_is_completed_by_any_workers(collection, tmp_path):
    expected = files_of(collection)
    for name in list(expected)[:50]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b'half')
    marker = dict(images=170, seed=5, version=1, complete=False)
    (tmp_path / tool.MARKER).write_text(json.dumps(marker))
    # What later steps put beside the images does not stand in the way.
    (tmp_path / 'split.csv').write_text('path,label,split\n')
    args = ['--images', '170', '--seed', '5', '--workers', '3']
    assert tool.main([str(tmp_path), *args]) == 0
    found = files_of(tmp_path)
    found.pop('split.csv')
    assert found == expected


def refused(capsys, *args):
    assert tool.main([str(arg) for arg in args]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith('error: ')
    assert captured.err.count('\n') == 1
    return captured.err


def test_refuses_a_foreign_folder(tmp_path, capsys):
    (tmp_path / 'mine.txt').write_text('x')
    assert 'mine.txt' in refused(capsys, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']
    assert 'is a file' in refused(capsys, tmp_path / 'mine.txt')


def test_refuses_other_settings_and_strays(collection, capsys, tmp_path):
    message = refused(capsys, collection, '--images', 170, '--seed', 6)
    assert 'seed 5' in message and 'seed 6' in message
    stray = collection / IMAGE_FOLDER / 'ABE' / 'x.jpg'
    stray.touch()
    message = refused(capsys, collection, '--images', 170, '--seed', 5)
    stray.unlink()
    assert 'x.jpg' in message
    (tmp_path / tool.MARKER).write_text('{')
    assert 'damaged' in refused(capsys, tmp_path)


def test_refuses_bad_numbers(tmp_path, capsys):
    assert '168' in refused(capsys, tmp_path, '--images', 167)
    assert 'seed' in refused(capsys, tmp_path, '--seed', -1)
    assert 'workers' in refused(capsys, tmp_path, '--workers', 0)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match='negative'):
        draw_cell(-1, 'NGS', 1)
    with pytest.raises(InputError, match='XYZ'):
        draw_cell(0, 'XYZ', 1)


def test_contact_sheet(tmp_path, capsys):
    sheet = tmp_path / 'sheet.png'
    assert tool.main(['--contact-sheet', str(sheet)]) == 0
    assert cv2.imread(str(sheet)).shape == (7 * 72, 3 * (48 + 4 * 72), 3)
    assert sheet.stat().st_size < 500_000
    message = refused(capsys, '--contact-sheet', tmp_path / 'no' / 'x.png')
    assert 'existing folder' in message
