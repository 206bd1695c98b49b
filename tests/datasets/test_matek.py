import os
import shutil
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import pytest

from bm_plugins.datasets import Matek
from bm_plugins.datasets.manifest import (
    read_stamp,
    stamp_file,
    write_manifest,
    write_stamp,
)
from bm_plugins.datasets.matek_classes import CLASSES, SUPPORTS
from bm_plugins.datasets.prepare import prepare
from bm_plugins.datasets.samplers.draw_batch_sampler import DrawIndex
from bm_plugins.datasets.splits.stratified_split import stratified_split
from bm_plugins.errors import InputError

REAL = Path(__file__).resolve().parents[3] / 'shared/data'
COUNTS = dict(ABE=8, BLA=40, LYT=1)


@pytest.fixture
def root(tmp_path):
    for code, count in COUNTS.items():
        folder = tmp_path / 'BM_cytomorphology_data' / code
        folder.mkdir(parents=True)
        for i in range(1, count + 1):
            img = np.full((8, 8, 3), i, np.uint8)
            cv2.imwrite(str(folder / f'{code}_{i:05}.jpg'), img)
    prepare(tmp_path)
    return tmp_path


def rewrite(root, old, new):
    file = root / 'split.csv'
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def names(cells):
    return {cells.get_data_info(i)['path'] for i in range(len(cells))}


def test_parts_are_disjoint_and_complete(root):
    parts = [Matek(root, split=p) for p in ('train', 'val', 'test')]
    # test: ceil(.2 n) of 8 and 40; a single image trains.
    assert [len(p) for p in parts] == [49 - 5 - 10, 5, 10]
    union = set.union(*(names(part) for part in parts))
    assert len(union) == 49
    assert names(Matek(root, split=('train', 'val'))) == union - names(
        parts[2]
    )


def test_labels_metainfo_and_paths(root):
    cells = Matek(root, split=('train', 'val', 'test'))
    assert cells.CLASSES == CLASSES
    assert cells.metainfo['full_names'][3] == 'Blasts'
    counts = np.bincount(cells.get_gt_labels(), minlength=21)
    assert {CLASSES[i]: n for i, n in enumerate(counts) if n} == COUNTS
    info = cells.get_data_info(0)
    assert info['path'] == 'ABE/ABE_00001.jpg'
    assert Path(info['img_path']).is_file()


def test_without_labels_the_column_is_not_read(root):
    file = root / 'split.csv'
    text = file.read_text().replace(',BLA,', ',,').replace(',ABE,', ',???,')
    file.write_text(text)
    cells = Matek(root, with_label=False)
    assert all('gt_label' not in cells[i] for i in range(len(cells)))
    with pytest.raises(InputError, match='no labels'):
        cells.get_gt_labels()


@pytest.mark.slow
def test_folds(root):
    tests = [names(Matek(root, split='test', fold=f)) for f in range(5)]
    assert sum(map(len, tests)) == len(set.union(*tests)) == 48
    assert tests[0] == names(Matek(root, split='test'))
    for fold in range(5):
        rest = Matek(root, split=('train', 'val'), fold=str(fold))
        assert (
            names(rest)
            == names(Matek(root, split=('train', 'val', 'test'))) - tests[fold]
        )
        train = names(Matek(root, split='train', fold=fold))
        val = names(Matek(root, split='val', fold=fold))
        assert not train & val and train | val == names(rest)
    assert names(Matek(root, fold='none')) == names(Matek(root))


@pytest.mark.parametrize('fold,message', [(7, 'no fold 7'), ('x', 'BM_FOLD')])
def test_wrong_fold(root, fold, message):
    with pytest.raises(InputError, match=message):
        Matek(root, fold=fold)


def test_draw_travels_with_the_index(root):
    cells = Matek(root)
    assert cells[DrawIndex(3, (0, 1, 2))]['draw'] == (0, 1, 2)
    assert 'draw' not in cells[3]


def test_unreadable_image_is_an_error_with_its_path(root):
    cells = Matek(root, pipeline=[dict(type='mmpretrain.LoadCellImage')])
    path = Path(cells.get_data_info(4)['img_path'])
    path.write_bytes(b'')
    assert cells[3]['img'].shape == (8, 8, 3)
    with pytest.raises(InputError, match=path.name):
        cells[4]


@pytest.mark.parametrize(
    'old,new,message',
    [
        ('ABE/ABE_00001.jpg', 'ABE/ABE_00099.jpg', 'names 1 file.*00099'),
        (',ABE,', ',XYZ,', "unknown code 'XYZ'"),
        (',ABE,', ',BLA,', 'labelled BLA, but .* says ABE'),
        ('ABE/ABE_00001.jpg', 'BLA/ABE_00001.jpg', 'file|the folder says BLA'),
    ],
)
def test_manifest_against_the_folder(root, old, new, message):
    rewrite(root, old, new)
    with pytest.raises(InputError, match=message):
        Matek(root, split=('train', 'val', 'test'))


def test_missing_root_and_manifest(tmp_path):
    with pytest.raises(InputError, match='nowhere .*BM_DATA_ROOT'):
        Matek(tmp_path / 'nowhere')
    with pytest.raises(InputError, match='split.csv does not exist'):
        Matek(tmp_path)


def test_empty_part_and_unknown_part(root):
    with pytest.raises(InputError, match='expected train, val or test'):
        Matek(root, split='dev')
    text = (root / 'split.csv').read_text().replace(',test,', ',train,')
    (root / 'split.csv').write_text(text)
    with pytest.raises(InputError, match='no image in part test'):
        Matek(root, split='test')


def test_own_classes_drop_the_release_s_names(tmp_path):
    for code in ('cat', 'dog'):
        (tmp_path / code).mkdir()
        for i in range(3):
            img = np.zeros((4, 4, 3), np.uint8)
            cv2.imwrite(str(tmp_path / code / f'{i}.png'), img)
    prepare(tmp_path, classes=('cat', 'dog'))
    metainfo = dict(classes=('dog', 'cat'))
    cells = Matek(tmp_path, split=('train', 'test'), metainfo=metainfo)
    assert cells.metainfo == dict(
        classes=('dog', 'cat'),
        full_names=('dog', 'cat'),
        protocol='stratified, seed 0, 20% test; train/test part',
        train_support=(2, 2),
    )
    assert sorted(cells.get_gt_labels()) == [0, 0, 0, 1, 1, 1]
    with pytest.raises(InputError, match='1 full_names for 2 classes'):
        Matek(tmp_path, metainfo=metainfo | dict(full_names=['Dog']))


def test_protocol_and_training_support(cells):
    folded = Matek(str(cells), split='test', fold=2)
    meta = folded.metainfo
    assert meta['protocol'] == '5-fold, stratified, seed 0; fold 2 tests'
    everything = Matek(str(cells), split=('train', 'val'), fold=2)
    counts = np.bincount(everything.get_gt_labels(), minlength=21)
    assert meta['train_support'] == tuple(counts)
    unlabelled = Matek(str(cells), with_label=False)
    assert 'train_support' not in unlabelled.metainfo
    said = 'stratified, seed 0, 20% test; train part'
    assert unlabelled.metainfo['protocol'] == said


def test_protocol_of_a_changed_manifest(cells, tmp_path):
    root = tmp_path / 'cells'
    shutil.copytree(cells, root)
    with open(root / 'split.csv', 'a') as file:
        file.write('\n')
    protocol = Matek(str(root), split='test').metainfo['protocol']
    assert protocol == 'split of split.csv, origin not recorded'


def test_a_share_of_the_labels(cells):
    def paths(fraction):
        share = Matek(str(cells), fraction=fraction)
        return {share.get_data_info(i)['path'] for i in range(len(share))}

    whole = Matek(str(cells))
    counts = np.bincount(whole.get_gt_labels(), minlength=21)
    tenth = Matek(str(cells), fraction=0.1)
    expected = np.where(counts > 0, np.maximum(1, np.round(counts / 10)), 0)
    found = np.bincount(tenth.get_gt_labels(), minlength=21)
    assert np.array_equal(found, expected) and found.sum() < counts.sum()
    assert tenth.metainfo['protocol'].endswith('; train part, 0.1 of it')
    assert paths(0.1) < paths(0.5) < paths(1)
    for name, values, message in (
        ('fraction', (0, 1.5, '0.5'), 'a share above 0 up to 1'),
        ('per_class', (0, 2.5, '3', True), '1 or more images of each class'),
        ('draw', (1.0, 'a', None), 'a whole number'),
    ):
        for value in values:
            with pytest.raises(InputError, match=f'{name}=.*{message}'):
                Matek(str(cells), **{name: value})
    # All images are one choice.
    assert (
        'choice' in Matek(str(cells), per_class=1, draw=2).metainfo['protocol']
    )
    assert (
        Matek(str(cells), draw=2).metainfo['protocol']
        == whole.metainfo['protocol']
    )
    with pytest.raises(InputError, match='and labels'):
        Matek(str(cells), fraction=0.1, with_label=False)


@pytest.mark.skipif(not REAL.is_dir(), reason='real images are not here')
def test_real_collections():
    cells = Matek(REAL / 'bm_tcia_dev', split='test')
    assert len(cells) == 320
    assert set(np.bincount(cells.get_gt_labels())) == {0, 40}
    classes = sorted(
        p.name for p in (REAL / 'pbc_dib_128').iterdir() if p.is_dir()
    )
    blood = Matek(
        REAL / 'pbc_dib_128', split='test', metainfo=dict(classes=classes)
    )
    assert np.bincount(blood.get_gt_labels()).tolist() == [100] * 11


@pytest.mark.slow
def test_full_size_manifest_loads(tmp_path, capsys):
    """171,374 entries; the time is shown, not judged."""
    paths, labels = [], []
    for code, count in zip(CLASSES, SUPPORTS, strict=True):
        for i in range(1, count + 1):
            low = (i - 1) // 1000 * 1000
            part = f'{low + 1:04}-{low + 1000}/' if count >= 1000 else ''
            paths.append(f'{code}/{part}{code}_{i:05}.jpg')
        labels += [code] * count
    for folder in {p.rpartition('/')[0] for p in paths}:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for path in paths:
        os.mknod(f'{tmp_path}/{path}')
    manifest = tmp_path / 'split.csv'
    write_manifest(manifest, paths, labels, *stratified_split(paths, labels))
    write_stamp(manifest, dict(images=len(paths)))
    start = perf_counter()
    cells = Matek(tmp_path, split=('train', 'val', 'test'))
    seconds = perf_counter() - start
    assert len(cells) == 171_374
    assert np.bincount(cells.get_gt_labels()).tolist() == list(SUPPORTS)
    with capsys.disabled():
        print(f'\n171,374 entries loaded in {seconds:.2f} s')


def test_subclass_with_its_own_classes(root):
    class Own(Matek):
        METAINFO = dict(classes=('LYT', 'BLA', 'ABE'))

    cells = Own(root, split=('train', 'val', 'test'))
    assert cells.metainfo['full_names'] == ('LYT', 'BLA', 'ABE')
    assert np.bincount(cells.get_gt_labels()).tolist() == [1, 40, 8]


def test_manifest_without_labels(root):
    lines = (root / 'split.csv').read_text().splitlines()
    rows = [line.split(',') for line in lines]
    text = '\n'.join(f'{path},{split}' for path, _, split, _ in rows)
    (root / 'split.csv').write_text(text)
    cells = Matek(root, with_label=False)
    assert 'gt_label' not in cells[0]
    with pytest.raises(InputError, match='no column label'):
        Matek(root)


@pytest.mark.parametrize('stamped', [True, False])
@pytest.mark.parametrize('cache', [None, 'jpeg', 'decoded'])
def test_16_bit_files_are_read_by_the_range_of_all(tmp_path, cache, stamped):
    """A blank one alone would count as of 10 bits: 1000 / 4, not 1000 / 16."""
    folder = tmp_path / 'BLA'
    folder.mkdir()
    for i in range(4):
        image = np.full((8, 8, 3), 1000, np.uint16)
        image[:i] = 4095
        cv2.imwrite(str(folder / f'BLA_{i}.tif'), image)
    prepare(tmp_path, test_fraction=0.5, val_fraction=0, folds=2)
    assert read_stamp(tmp_path / 'split.csv')['bits'] == 12
    if not stamped:
        stamp_file(tmp_path / 'split.csv').unlink()
    for part in ('train', 'test'):
        pipeline = [dict(type='LoadCellImage')]
        cells = Matek(tmp_path, split=part, cache=cache, pipeline=pipeline)
        assert cells.bits == 12 and len(cells) == 2
        for index in range(len(cells)):
            image = cells[index]['img']
            assert image[-1, 0].tolist() == [62, 62, 62]
