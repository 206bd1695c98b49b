import json
import os

import cv2
import numpy as np
import pytest

from bm_plugins.datasets.manifest import (
    is_verified,
    protocol_of,
    read_manifest,
    read_stamp,
    write_stamp,
)
from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.datasets.prepare import check, prepare
from bm_plugins.errors import InputError


def picture(seed=0):
    rng = np.random.default_rng(seed)
    img = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    return cv2.imencode('.jpg', img)[1].tobytes()


def collect(root, names):
    for seed, name in enumerate(names):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(seed))
    return root


RELEASE = [
    f'BM_cytomorphology_data/BLA/0001-1000/BLA_{i:05}.jpg'
    for i in range(1, 11)
] + [f'BM_cytomorphology_data/ABE/ABE_{i:05}.jpg' for i in range(1, 9)]


def test_release_layout(tmp_path, capsys):
    collect(tmp_path, RELEASE)
    prepare(tmp_path, workers=2)
    paths, labels, splits, folds = read_manifest(tmp_path / 'split.csv')
    assert paths == sorted(name.partition('/')[2] for name in RELEASE)
    assert labels == ['ABE'] * 8 + ['BLA'] * 10
    assert splits.count('test') == 4 and set(folds) == set(range(5))
    stamp = read_stamp(tmp_path / 'split.csv')
    assert stamp['images'] == 18 and stamp['counts']['BLA'] == 10
    out = capsys.readouterr().out
    assert 'Nothing was left out' in out
    # Found, the release's count, and the difference.
    assert '10    11973  -11963' in out


@pytest.mark.parametrize('layout', ['mirror', 'flat', 'folders'])
def test_other_layouts_give_the_same_split(tmp_path, layout):
    collect(tmp_path / 'release', RELEASE)
    prepare(tmp_path / 'release')
    expected = read_manifest(tmp_path / 'release/split.csv')
    rename = {
        'mirror': lambda name: name.replace(
            'BM_cytomorphology_data', 'bone_marrow_cell_dataset'
        ),
        'flat': lambda name: name.rpartition('/')[2],
        'folders': lambda name: name.partition('/')[2],
    }[layout]
    collect(tmp_path / layout, [rename(name) for name in reversed(RELEASE)])
    prepare(tmp_path / layout, workers=2)
    paths, *rest = read_manifest(tmp_path / layout / 'split.csv')
    names = [path.rpartition('/')[2] for path in paths]
    assert names == [path.rpartition('/')[2] for path in expected[0]]
    assert tuple(rest) == expected[1:]


def test_left_out_is_listed_with_its_reason(tmp_path, capsys):
    collect(tmp_path, RELEASE)
    folder = tmp_path / 'BM_cytomorphology_data/BLA/0001-1000'
    (folder / 'BLA_00003.jpg').write_bytes(b'broken')
    (folder / 'BLA_00004.jpg').write_bytes(picture()[:-100])
    (folder / 'notes.txt').write_text('blasts')
    prepare(tmp_path)
    assert len(read_manifest(tmp_path / 'split.csv')[0]) == 16
    assert (tmp_path / 'split_left_out.csv').read_text() == (
        'path,reason\n'
        'BLA/0001-1000/BLA_00003.jpg,cannot be decoded\n'
        'BLA/0001-1000/BLA_00004.jpg,truncated JPEG\n'
        'BLA/0001-1000/notes.txt,no image file\n'
    )
    assert 'BLA_00003.jpg: cannot be decoded' in capsys.readouterr().out


def test_manifest_is_not_replaced_unasked(tmp_path):
    collect(tmp_path, RELEASE)
    prepare(tmp_path)
    with pytest.raises(InputError, match='split.csv exists.*--overwrite'):
        prepare(tmp_path, seed=1)
    before = (tmp_path / 'split.csv').read_text()
    prepare(tmp_path, seed=1, overwrite=True)
    assert (tmp_path / 'split.csv').read_text() != before


def test_check_keeps_the_manifest_and_stamps_it(tmp_path):
    collect(tmp_path, RELEASE)
    text = 'path,label,split\nABE/ABE_00001.jpg,ABE,test\n'
    (tmp_path / 'split.csv').write_text(text)
    check(tmp_path)
    assert (tmp_path / 'split.csv').read_text() == text
    assert read_stamp(tmp_path / 'split.csv')['images'] == 1
    file = tmp_path / 'BM_cytomorphology_data/ABE/ABE_00001.jpg'
    file.write_bytes(b'')
    with pytest.raises(InputError, match='cannot be used.*ABE_00001'):
        check(tmp_path)
    assert not is_verified(tmp_path / 'split.csv')
    assert 'empty file' in (tmp_path / 'split_faults.csv').read_text()


def test_check_keeps_the_protocol(tmp_path):
    collect(tmp_path, RELEASE)
    manifest = tmp_path / 'split.csv'
    prepare(tmp_path, seed=3)
    said = protocol_of(manifest, None)
    assert said == 'stratified, seed 3, 20% test'
    file = tmp_path / 'BM_cytomorphology_data/ABE/ABE_00001.jpg'
    whole = file.read_bytes()
    file.write_bytes(b'')
    with pytest.raises(InputError, match='cannot be used'):
        check(tmp_path)
    assert not is_verified(manifest)
    file.write_bytes(whole)
    check(tmp_path)
    assert is_verified(manifest) and protocol_of(manifest, None) == said


def test_what_opencv_and_csv_cannot_take_is_left_out(tmp_path, capsys):
    collect(tmp_path, RELEASE)
    folder = tmp_path / 'BM_cytomorphology_data/ABE'
    header = b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR'
    size = (60_000).to_bytes(4, 'big')
    chunk = header + size + size + b'\x08\x02\0\0\0' + bytes(64)
    (folder / 'ABE_90000.png').write_bytes(chunk)
    odd = os.fsencode(folder) + b'/ABE_\xe4.jpg'
    with open(odd, 'wb') as file:
        file.write(picture())
    prepare(tmp_path)
    rows = (tmp_path / 'split_left_out.csv').read_text().splitlines()[1:]
    assert sorted(rows) == [
        'ABE/ABE_90000.png,truncated PNG',
        'ABE/ABE_\\udce4.jpg,the name is not UTF-8',
    ]


@pytest.mark.parametrize(
    'settings,message',
    [
        (dict(test_fraction=1.5), '--test-fraction 1.5'),
        (dict(folds=1), '--folds 1'),
        (dict(workers=0), '--workers 0'),
        (dict(manifest='no/such/split.csv'), 'no/such.*--output'),
    ],
)
def test_bad_settings_are_found_before_decoding(tmp_path, settings, message):
    collect(tmp_path, RELEASE)
    folder = tmp_path / 'BM_cytomorphology_data/ABE'
    (folder / 'ABE_00001.jpg').write_bytes(b'found by decoding alone')
    with pytest.raises(InputError, match=message):
        prepare(tmp_path, **settings)
    assert not list(tmp_path.glob('*.csv'))


def test_command_with_own_classes(tmp_path, tool):
    names = [f'{code}/{i}.png' for code in ('cat', 'dog') for i in range(5)]
    collect(tmp_path, names)
    status, out, error = tool(
        'prepare_matek', tmp_path, '--classes', 'cat', 'dog', '--folds', 2
    )
    assert status == 0, error
    assert 'Wrote' in out
    stamp = json.loads((tmp_path / 'split.stamp.json').read_text())
    assert stamp['counts'] == dict(cat=5, dog=5)


@pytest.mark.parametrize(
    'names,message',
    [
        (None, 'is no folder'),
        (['notes.txt'], 'holds no images'),
        (['XYZ/1.jpg'], '1 in folder XYZ. Of XYZ/1.jpg neither'),
        (['BLA/LYT_00001.jpg'], 'the folder says BLA, the file name LYT'),
    ],
)
def test_command_says_what_is_wrong_in_one_line(
    tmp_path, tool, names, message
):
    root = tmp_path / 'data'
    if names:
        collect(root, names)
    status, _, error = tool('prepare_matek', root)
    assert status == 2
    assert error.startswith('error: ') and message in error
    assert 'Traceback' not in error and error.count('\n') == 1
    assert CLASSES[0] in error or 'XYZ' not in error


def test_protocols(cells, tmp_path):
    manifest = tmp_path / 'split.csv'

    def parts(**settings):
        prepare(cells, manifest, overwrite=True, **settings)
        paths, _, split, folds = read_manifest(manifest)
        part_of = dict(zip(paths, split, strict=True))
        return part_of, folds, protocol_of(manifest, None)

    blocks, folds, said = parts(contiguous=True)
    tests = sorted(path for path, part in blocks.items() if part == 'test')
    expected = [f'ABE/ABE_0000{i}.jpg' for i in (1, 2)]
    expected += [f'BLA/BLA_0000{i}.jpg' for i in range(1, 7)]
    expected += [f'LYT/LYT_0000{i}.jpg' for i in range(1, 6)]
    assert tests == expected and set(folds) == {0, 1, 2, 3, 4}
    assert said == 'contiguous blocks, 20% test'
    assert protocol_of(manifest, 3) == (
        '5-fold, contiguous blocks; fold 3 tests'
    )

    listed = tmp_path / 'bm_test.csv'
    listed.write_text(
        'Image Path,Label\nelsewhere/BLA/1-1000/BLA_00003.jpg,BLA\n'
    )
    by_list, folds, said = parts(test_list=listed)
    assert [p for p, s in by_list.items() if s == 'test'] == [
        'BLA/BLA_00003.jpg'
    ]
    assert set(folds) == {None} and said == 'test list bm_test.csv'

    groups = tmp_path / 'groups.csv'
    alike = ['BLA/BLA_00001.jpg', 'BLA/BLA_00002.jpg', 'LYT/LYT_00001.jpg']
    groups.write_text('path,group\n' + ''.join(f'{p},1\n' for p in alike))
    together, _, said = parts(groups=groups)
    assert len({together[path] for path in alike}) == 1
    assert (
        said == 'stratified, seed 0, groups of groups.csv together, 20% test'
    )

    groups.write_text('path,group\n')  # what an audit without finds writes
    assert set(parts(groups=groups)[0]) == set(together)

    listed.write_text('Image Path,Label\n')
    with pytest.raises(InputError, match='bm_test.csv names no image'):
        parts(test_list=listed)
    with pytest.raises(InputError, match='leave out --contiguous'):
        parts(test_list=listed, contiguous=True)
    with pytest.raises(InputError, match='none.csv does not exist'):
        parts(groups=tmp_path / 'none.csv')
    groups.write_text('path\n')
    with pytest.raises(InputError, match='no column group'):
        parts(groups=groups)


def test_packed_images_are_not_left_out(tmp_path, capsys):
    root = collect(tmp_path, ['ABE/ABE_00001.jpg', 'ABE/ABE_00002.jpg'])
    (root / 'split.jpeg.pack').write_bytes(b'')
    prepare(root)
    assert 'Nothing was left out.' in capsys.readouterr().out


def test_the_scale_is_noted(tmp_path, capsys):
    """Of 18 images 16 are of the usual size; none says its scale."""
    collect(tmp_path, RELEASE)
    for name, size in zip(RELEASE, [(20, 20), (80, 40)], strict=False):
        cv2.imwrite(str(tmp_path / name), np.zeros((*size, 3), np.uint8))
    prepare(tmp_path, workers=2)
    manifest = tmp_path / 'split.csv'
    noted = dict(width=40, height=40, um_per_px=None, share=16 / 18)
    assert read_stamp(manifest)['scale'] == noted
    out = capsys.readouterr().out
    assert 'Images: 40 x 40 px (88.9 % of them), µm per pixel not known' in out
    assert '11.1 % are of another size' in out
    check(tmp_path, um_per_px='0.1')
    assert read_stamp(manifest)['scale'] == noted | dict(um_per_px=0.1)
    check(tmp_path)  # what was noted stays
    assert read_stamp(manifest)['scale'] == noted | dict(um_per_px=0.1)
    stamp = read_stamp(manifest)
    del stamp['scale'], stamp['sha256']
    write_stamp(manifest, stamp)  # an earlier version's
    check(tmp_path)
    assert read_stamp(manifest)['scale'] == noted
    prepare(tmp_path, overwrite=True, um_per_px=0.2)
    assert read_stamp(manifest)['scale'] == noted | dict(um_per_px=0.2)
    for run, more in ((prepare, dict(overwrite=True)), (check, {})):
        with pytest.raises(InputError, match='--um-per-px 72: expected µm'):
            run(tmp_path, um_per_px=72, **more)
    assert read_stamp(manifest)['scale']['um_per_px'] == 0.2


def test_the_command_notes_the_scale(tmp_path, tool):
    collect(tmp_path, RELEASE)
    for more in ([], ['--check']):
        value = 0.1 + 0.1 * len(more)
        args = ('--um-per-px', value, '--workers', 1, *more)
        assert tool('prepare_matek', tmp_path, *args)[0] == 0
        stamp = read_stamp(tmp_path / 'split.csv')
        assert stamp['scale']['um_per_px'] == value
