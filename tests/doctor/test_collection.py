import shutil

import cv2
import numpy as np
import pytest

from bm_plugins.datasets.prepare import prepare
from bm_plugins.doctor.collection import check


@pytest.fixture
def own(cells, tmp_path):
    """A collection to damage."""
    return shutil.copytree(cells, tmp_path / 'own')


def only(findings, level):
    [finding] = [f for f in findings if f.level == level]
    return finding


def test_a_good_one(cells):
    findings = check(str(cells))
    assert [(f.level, f.name) for f in findings] == [
        ('ok', 'data'),
        ('ok', 'images'),
    ]
    text = findings[0].text
    assert '62 images of 3 classes (' in text and '13 test' in text
    assert '5 folds' in text


def test_by_the_environment_or_none(cells, monkeypatch, tmp_path):
    monkeypatch.setenv('BM_DATA_ROOT', str(cells))
    assert check() == check(str(cells))
    monkeypatch.delenv('BM_DATA_ROOT')
    monkeypatch.chdir(tmp_path)
    [finding] = check()
    assert finding.level == 'warning' and 'make_synthetic' in finding.text


def test_no_folder(tmp_path):
    finding = only(check(str(tmp_path / 'gone')), 'problem')
    assert 'gone is no folder' in finding.text and '--data' in finding.text


def test_no_manifest(own):
    (own / 'split.csv').unlink()
    finding = only(check(str(own)), 'problem')
    assert 'split.csv does not exist' in finding.text
    assert 'tools/prepare_matek.py' in finding.text


@pytest.mark.parametrize(
    ('old', 'new', 'said'),
    [
        ('path,label,split', 'file,label,split', 'no column path'),
        (',test,', ',tests,', "split 'tests'"),
        (',BLA,', ',LYT,', 'is labelled LYT'),
        ('BLA_00001', 'BLA_09999', 'BLA_09999'),
    ],
)
def test_a_bad_manifest(own, old, new, said):
    file = own / 'split.csv'
    file.write_text(file.read_text().replace(old, new, 1))
    assert said in only(check(str(own)), 'problem').text


def test_an_image_that_cannot_be_decoded(own):
    first = (own / 'split.csv').read_text().splitlines()[1].split(',')[0]
    image = own / 'BM_cytomorphology_data' / first
    image.write_bytes(b'no image')
    finding = only(check(str(own)), 'problem')
    assert first in finding.text and 'cannot be decoded' in finding.text


def test_not_verified_and_without_a_test_part(own):
    (own / 'split.stamp.json').unlink()
    finding = only(check(str(own)), 'warning')
    assert 'prepare_matek.py' in finding.text and '--check' in finding.text
    file = own / 'split.csv'
    file.write_text(file.read_text().replace(',test,', ',train,'))
    names = [f.name for f in check(str(own)) if f.level == 'warning']
    assert names == ['parts', 'verified']


def test_own_classes(own):
    folder = own / 'BM_cytomorphology_data'
    (folder / 'BLA').rename(folder / 'BLAST')
    shutil.rmtree(folder / 'ABE')
    for file in (folder / 'BLAST').iterdir():
        file.rename(file.with_name(file.name.replace('BLA', 'BLAST')))
    prepare(own, classes=('BLAST', 'LYT'), overwrite=True)
    finding = only(check(str(own)), 'warning')
    assert finding.name == 'classes' and 'BLAST' in finding.text


def test_every_unknown_code_is_named(own):
    codes = [f'OWN-{i}' for i in range(11)]
    folder = own / 'BM_cytomorphology_data'
    [image, *_] = sorted((folder / 'BLA').iterdir())
    for code in codes:
        (folder / code).mkdir()
        shutil.copy(image, folder / code / f'{code}_00001.jpg')
    prepare(own, classes=('ABE', 'BLA', 'LYT', *codes), overwrite=True)
    findings = check(str(own))
    [finding] = [f for f in findings if f.name == 'classes']
    named = finding.text.partition(': ')[2].partition('. Name')[0]
    assert named.split() == sorted(codes)


def test_images_of_several_ranges(tmp_path):
    (tmp_path / 'BLA').mkdir()
    rng = np.random.default_rng(0)
    for i in range(9):
        image = rng.integers(0, 4096, (9, 9, 3)).astype(np.uint16)
        cv2.imwrite(str(tmp_path / f'BLA/{i}.tif'), image)
    prepare(tmp_path)
    assert check(str(tmp_path))[1].text == 'a sample of 9 can be decoded'
    cv2.imwrite(str(tmp_path / 'BLA/3.tif'), image >> 4)
    text = only(check(str(tmp_path)), 'problem').text
    assert 'BLA/3.tif cannot be read: values up to 25' in text
    (tmp_path / 'split.stamp.json').unlink()
    text = only(check(str(tmp_path)), 'problem').text
    assert 'mix ranges of 16-bit values' in text and 'BLA/3.tif to' in text
