import csv
import html
from collections import defaultdict

import cv2
import numpy as np
import pytest
from PIL import Image

from bm_plugins.datasets.audit.audit import audit, summary
from bm_plugins.datasets.audit.page import write_page
from bm_plugins.datasets.image_io import read_image
from bm_plugins.datasets.prepare import prepare
from bm_plugins.errors import InputError
from tests.datasets.audit.planted import (
    CODES,
    GROUPS,
    TURNS,
    changed,
    collect,
    plant,
    write,
)


def rows(file):
    with open(file, newline='') as stream:
        return list(csv.DictReader(stream))


def groups(out):
    found = defaultdict(set)
    for row in rows(out / 'duplicates.csv'):
        found[row['group']].add(row['path'])
    return {frozenset(group) for group in found.values()}


def test_what_was_planted_and_nothing_else(tmp_path):
    root, out = plant(collect(tmp_path / 'cells')), tmp_path / 'out'
    result = audit(root, out)
    assert groups(out) == GROUPS
    found = rows(out / 'duplicates.csv')
    assert list(found[0]) == [
        'path',
        'group',
        'kind',
        'label',
        'split',
        'fold',
    ]
    kinds = {row['path']: row['kind'] for row in found}
    assert kinds['BLA/BLA_00001.jpg'] == kinds['BLA/BLA_00011.jpg'] == 'exact'
    assert kinds['EOS/EOS_00012.jpg'] == 'near'
    assert {row['label'] for row in found if row['group'] == '0'} == {
        'LYT',
        'EOS',
    }
    assert {r['path']: r['reason'] for r in rows(out / 'unreadable.csv')} == {
        'NGS/NGS_00014.jpg': 'cannot be decoded',
        'NGS/NGS_00015.jpg': 'truncated JPEG',
    }
    pairs = rows(out / 'pairs.csv')
    assert {p['kind'] for p in pairs} == {'exact', 'near'}
    near = [float(p['correlation']) for p in pairs if p['kind'] == 'near']
    assert near and min(near) >= 0.95
    counts = dict(summary(result))
    assert counts['images'] == 21 and counts['unreadable'] == 2
    assert counts['groups of duplicates'] == 2
    assert counts['groups across classes'] == 1
    assert counts['groups across train, val and test'] == 0  # no manifest


def test_across_the_parts_of_the_manifest(tmp_path):
    root, out = plant(collect(tmp_path / 'cells')), tmp_path / 'out'
    prepare(root, folds=2)
    text = (root / 'split.csv').read_text().splitlines()
    parts = {'BLA/BLA_00001.jpg': 'train', 'BLA/BLA_00011.jpg': 'test'}
    for i, line in enumerate(text):
        path, label, split, fold = line.split(',')
        if path in parts:
            text[i] = f'{path},{label},{parts[path]},{fold}'
    (root / 'split.csv').write_text('\n'.join(text) + '\n')
    result = audit(root, out)
    assert dict(summary(result))['groups across train, val and test'] >= 1
    assert {
        (r['split'], r['path'])
        for r in rows(out / 'duplicates.csv')
        if r['path'] in parts
    } == {(split, path) for path, split in parts.items()}


@pytest.mark.slow
def test_the_manifest_keeps_groups_together(tmp_path):
    """Whatever the seed, as where the copies would be torn apart."""
    root, out = plant(collect(tmp_path / 'cells', 8)), tmp_path / 'out'
    audit(root, out)
    torn = 0
    for seed in range(6):
        prepare(root, seed=seed, folds=3, overwrite=True)
        torn += dict(summary(audit(root, out)))['groups across folds']
        prepare(
            root,
            seed=seed,
            folds=3,
            overwrite=True,
            groups=out / 'duplicates.csv',
        )
        counts = dict(summary(audit(root, out)))
        assert counts['groups of duplicates'] == 2
        assert counts['groups across train, val and test'] == 0
        assert counts['groups across folds'] == 0
    assert torn


def test_turned_and_shifted_copies(tmp_path):
    """Groups, and how each copy lies; the columns of old keep their places."""
    root, out = collect(tmp_path / 'cells'), tmp_path / 'out'
    hows = [*TURNS, 'reflected 10', 'mirrored + compressed']
    for i, how in enumerate(hows, 1):
        code = CODES[i % 4]
        image = read_image(f'{code}/{code}_0000{1 + i // 4}.jpg', root)
        file = root / code / f'{code}_1{i:04}.jpg'
        write(file, changed(image, how))
    result = audit(root, out)
    assert groups(out) == {
        frozenset(
            {
                f'{CODES[i % 4]}/{CODES[i % 4]}_0000{1 + i // 4}.jpg',
                f'{CODES[i % 4]}/{CODES[i % 4]}_1{i:04}.jpg',
            }
        )
        for i in range(1, len(hows) + 1)
    }
    pairs = {int(row['path_b'][-8:-4]): row for row in rows(out / 'pairs.csv')}
    assert list(pairs[1])[6:] == [
        *('kind', 'hash_distance', 'correlation'),
        *('turned', 'shift_x', 'shift_y'),
    ]
    undone = [undo for _, undo in TURNS.values()]
    turned = [pairs[i + 1]['turned'] for i in range(len(hows))]
    assert turned == [*undone, '', 'flip']
    shift = [float(pairs[8][f'shift_{axis}']) for axis in 'xy']
    assert shift == pytest.approx([0.04, -0.04], abs=0.006)
    assert {(row['shift_x'], row['shift_y']) for row in pairs.values()} >= {
        ('0.000', '0.000')
    }
    write_page(result, out / 'audit.html')
    page = html.unescape((out / 'audit.html').read_text())
    code = CODES[1]
    assert f'rot270 as against {code}/{code}_00001.jpg' in page
    assert 'shifted +4% -4% as against' in page


@pytest.mark.parametrize('readable', [0, 1])
def test_hardly_an_image_that_can_be_read(tmp_path, readable):
    root = collect(tmp_path / 'cells', 1)
    for file in sorted(root.rglob('*.jpg'))[readable:]:
        file.write_bytes(b'no image')
    counts = dict(summary(audit(root, tmp_path / 'out')))
    assert counts['unreadable'] == 4 - readable
    assert counts['groups of duplicates'] == 0


def test_files_are_found_and_read_as_by_the_other_tools(tmp_path):
    """Pictures of other kinds are listed, copies of systems passed over."""
    root, out = collect(tmp_path / 'cells', 1), tmp_path / 'out'
    image = read_image('BLA/BLA_00001.jpg', root)
    for name in ('@eaDir/1.jpg', '$RECYCLE.BIN/BLA/BLA_00001.jpg'):
        (root / name).parent.mkdir(parents=True)
        write(root / name, image)
    (root / 'BLA/up').symlink_to(root)
    Image.fromarray(image[..., ::-1]).save(root / 'BLA/1.webp', lossless=True)
    cv2.imwrite(str(root / 'BLA/2.tif'), image.astype(np.uint16) << 4)
    (root / 'BLA/3.svs').write_bytes(b'1')
    result = audit(root, out)
    assert groups(out) == {
        frozenset({'BLA/BLA_00001.jpg', 'BLA/1.webp', 'BLA/2.tif'})
    }
    assert len(result.images) == 4 + 3
    [fault] = rows(out / 'unreadable.csv')
    assert fault['path'] == 'BLA/3.svs'
    assert fault['reason'].startswith('is of a kind that is not read (.jpg')


def test_classes_that_no_one_knows(tmp_path):
    root = collect(tmp_path / 'cells', 1)
    (root / 'BLA').rename(root / 'else')
    (root / 'else/BLA_00001.jpg').rename(root / 'else/1.jpg')
    result = audit(root, tmp_path / 'out')
    assert dict(summary(result))['without a known class'] == 1
    own = audit(root, tmp_path / 'out', classes=('else', 'LYT', 'EOS', 'NGS'))
    assert dict(summary(own))['without a known class'] == 0


def test_bad_input(tmp_path):
    root = collect(tmp_path / 'cells', 1)
    with pytest.raises(InputError, match='is no folder'):
        audit(tmp_path / 'none', tmp_path / 'out')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(InputError, match='holds no images'):
        audit(tmp_path / 'empty', tmp_path / 'out')
    with pytest.raises(InputError, match='--max-distance 65'):
        audit(root, tmp_path / 'out', max_distance=65)
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='folder .* cannot be made'):
        audit(root, tmp_path / 'file')
    (root / 'split.csv').write_text('path\n')
    with pytest.raises(InputError, match='no column label, split'):
        audit(root, tmp_path / 'out')
