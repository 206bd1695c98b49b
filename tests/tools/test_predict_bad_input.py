"""The command on images of all kinds and on bad input."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from bm_plugins.apis.bundle.bundle_file import save_bundle
from tests.apis.cell_folder import make_cells, rows
from tests.apis.tiny_bundle import BACKBONE, tiny_bundle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    file = tmp_path_factory.mktemp('bundle') / 'cells.bundle'
    save_bundle(tiny_bundle(), file)
    return file


@pytest.fixture
def cells(tmp_path):
    return make_cells(tmp_path / 'cells')


@pytest.fixture
def predict(tool, bundle):
    def run(cells, out, *args, model=None):
        return tool(
            'predict',
            *(model or bundle, cells, '--out', out),
            *('--workers', 0, '--device', 'cpu', *args),
        )

    return run


def one_of_a_kind(cells):
    """Images of other kinds, all of which can be predicted."""
    image = np.random.default_rng(1).integers(0, 256, (60, 60, 3), np.uint8)
    deep = image.astype(np.uint16) * 257
    cv2.imwrite(str(cells / 'deep.png'), deep)
    colour = Image.fromarray(image[..., ::-1])
    colour.convert('CMYK').save(cells / 'print.jpg', quality=95)
    colour.convert('L').save(cells / 'grey.png')
    colour.convert('RGBA').save(cells / 'alpha.png')
    cv2.imwrite(str(cells / 'plain.png'), image)
    cv2.imwrite(str(cells / 'large.png'), cv2.resize(image, (3000, 3000)))
    cv2.imwrite(str(cells / '<script>alert(1)<\u2215script>.png'), image)
    cv2.imwrite(str(cells / '=cmd("x"),1.png'), image)
    return ['alpha', 'plain', 'deep', '<script>alert(1)<\u2215script>']


@pytest.mark.slow
def test_other_kinds_of_images_and_names(predict, tmp_path):
    cells, out = tmp_path / 'cells', tmp_path / 'out'
    cells.mkdir()
    same = one_of_a_kind(cells)
    status, _, error = predict(cells, out)
    assert status == 0, error
    found = {row.pop('path'): row for row in rows(out / 'predictions.csv')}
    assert len(found) == 8 and not rows(out / 'skipped.csv')
    assert '=cmd("x"),1.png' in found  # as it is: open it as text
    for name in same:
        assert found[f'{name}.png'] == found['plain.png']
    near = [float(found[n]['confidence']) for n in ('print.jpg', 'plain.png')]
    assert abs(near[0] - near[1]) < 0.01
    assert '<script>alert' not in (out / 'report.html').read_text()


@pytest.mark.slow
def test_bad_images_are_listed_with_their_reason(predict, cells, tmp_path):
    good = (cells / 's1/0.jpg').read_bytes()
    bad = {
        'a-text.jpg': b'no image',
        'b-empty.png': b'',
        'c-cut.jpg': good[: len(good) // 2],
        'd-line\nend.jpg': good,
        os.fsdecode(b'e-\xff.jpg'): good,
    }
    for name, content in bad.items():
        (cells / name).write_bytes(content)
    Image.new('1', (20_000, 20_000)).save(cells / 'f-bomb.png')
    (cells / 'g-gone.jpg').symlink_to('nowhere')
    status, said, error = predict(cells, tmp_path / 'out')
    assert status == 0, error
    assert '12 cells, 7 skipped' in said
    found = rows(tmp_path / 'out/skipped.csv')
    assert [(row['path'], row['reason']) for row in found] == [
        ('a-text.jpg', 'cannot be decoded'),
        ('b-empty.png', 'empty file'),
        ('c-cut.jpg', 'truncated JPEG'),
        (r'd-line\nend.jpg', 'the name holds control characters'),
        (r'e-\xff.jpg', 'the name is not UTF-8'),
        ('f-bomb.png', 'has more than 100 million pixels'),
        ('g-gone.jpg', 'cannot be read (No such file or directory)'),
    ]


def test_one_cell(predict, cells, tmp_path):
    status, _, error = predict(cells / 's1/0.jpg', tmp_path / 'out')
    assert status == 0, error
    assert [r['path'] for r in rows(tmp_path / 'out/predictions.csv')] == [
        '0.jpg'
    ]


def test_nothing_could_be_read_and_the_files_say_why(predict, tmp_path):
    cells, out = tmp_path / 'cells', tmp_path / 'out'
    cells.mkdir()
    (cells / 'a.jpg').write_text('text')
    for _ in range(2):  # and again, of a prediction that is complete
        status, _, error = predict(cells, out)
        assert status == 2 and 'none of the 1 images' in error
        assert not rows(out / 'predictions.csv')
        assert rows(out / 'skipped.csv')[0]['path'] == 'a.jpg'


def make(folder, kind, bundle):
    """Bad input of a kind: arguments of the command."""
    cells, out = folder / 'cells', folder / 'out'
    crafted, file = folder / 'crafted', folder / 'file.csv'
    head = 'path,label,split,predicted\n'
    (folder / 'empty').mkdir()
    match kind:
        case 'empty folder':
            return [bundle, folder / 'empty', '--out', out]
        case 'missing folder':
            return [bundle, folder / 'gone', '--out', out]
        case 'no images':
            (folder / 'empty/notes.txt').write_text('text')
            return [bundle, folder / 'empty', '--out', out]
        case 'only text files named .jpg':
            for i in range(3):
                (folder / f'empty/{i}.jpg').write_text('text')
            return [bundle, folder / 'empty', '--out', out]
        case 'pattern without a match':
            return [bundle, f'{cells}/*/x*.jpg', '--out', out]
        case 'csv without path':
            file.write_text('file\ns1/0.jpg\n')
            return [bundle, file, '--out', out]
        case 'csv with duplicate rows':
            file.write_text('path\ncells/s1/0.jpg\ncells/s1/0.jpg\n')
            return [bundle, file, '--out', out]
        case 'missing bundle':
            return [crafted, cells, '--out', out]
        case 'checkpoint':
            torch.save(dict(state_dict={}), crafted)
        case 'text':
            crafted.write_text('a bundle')
        case 'pickle':
            crafted.write_bytes(b"cos\nsystem\n(S'touch PWNED'\ntR.")
        case 'type':
            evil = dict(type='os.system', command='touch PWNED')
            save_bundle(tiny_bundle(backbone=evil), crafted)
        case 'address':
            evil = {**BACKBONE, 'init_cfg': dict(checkpoint='http://x')}
            save_bundle(tiny_bundle(backbone=evil), crafted)
        case 'no numbers':
            broken = tiny_bundle()
            broken.weights['fc.bias'][:] = float('nan')
            save_bundle(broken, crafted)
        case 'wrong class in the corrections':
            file.write_text(head + 's1/0.jpg,XYZ,train,BLA\n')
            return [bundle, cells, '--out', out, '--corrections', file]
        case 'wrong path in the corrections':
            file.write_text(head + 's9/0.jpg,BLA,train,BLA\n')
            return [bundle, cells, '--out', out, '--corrections', file]
        case 'scheme lacks a class':
            file.write_text('code,group,counted\nBLA,myeloid,yes\n')
            return [bundle, cells, '--out', out, '--scheme', file]
        case 'error rate':
            return [bundle, cells, '--out', out, '--error-rate', 1.5]
        case 'batch size':
            return [bundle, cells, '--out', out, '--batch-size', 0]
        case 'device':
            return [bundle, cells, '--out', out, '--device', 'cuda:99']
        case 'file in the way':
            file.write_text('mine')
            return [bundle, cells, '--out', file]
        case 'place that cannot be written':
            return [bundle, cells, '--out', '/proc/out']
        case 'results of another origin':
            out.mkdir()
            (out / 'predictions.csv').write_text('mine')
            return [bundle, cells, '--out', out]
        case 'features of another origin':
            (folder / 'f.h5').write_text('mine')
            args = ['--out', out, '--features', folder / 'f.h5']
            return [bundle, cells, *args]
    return [crafted, cells, '--out', out]


BAD = {
    'empty folder': 'empty holds no image',
    'missing folder': 'gone is neither a folder nor a CSV file',
    'no images': 'empty holds no image',
    'only text files named .jpg': 'none of the 3 images can be read',
    'pattern without a match': 'x*.jpg is neither',
    'csv without path': 'expected the columns path (and perhaps',
    'csv with duplicate rows': "line 3: 'cells/s1/0.jpg' is there more than",
    'missing bundle': 'crafted does not exist',
    'checkpoint': 'is no bundle',
    'text': 'is no bundle',
    'pickle': 'is no bundle',
    'type': 'is not registered',
    'address': 'may not load',
    'no numbers': 'outputs that are no numbers',
    'wrong class in the corrections': "line 2: unknown class 'XYZ'",
    'wrong path in the corrections': '1 of 1 rows match no image: s9/0.jpg',
    'scheme lacks a class': 'no line for LYT, NGS',
    'error rate': '--error-rate 1.5: expected a share',
    'batch size': '--batch-size 0: expected 1 or more',
    'device': '--device cuda:99: there is no such device',
    'file in the way': 'file.csv cannot be made',
    'place that cannot be written': '/proc/out cannot be made',
    'results of another origin': 'predictions.csv is there, of another',
    'features of another origin': 'f.h5 is there, of another origin',
}


@pytest.mark.slow
@pytest.mark.parametrize('kind', BAD)
def test_bad_input_is_one_line(tool, bundle, cells, tmp_path, kind):
    args = make(tmp_path, kind, bundle)
    kept = {
        file: file.read_bytes()
        for file in tmp_path.rglob('*')
        if file.is_file()
    }
    status, _, error = tool(
        'predict', '--device', 'cpu', *args, '--workers', 0
    )
    assert status == 2, error
    (line,) = [x for x in error.splitlines() if ' a second, ' not in x]
    assert line.startswith('error: ') and BAD[kind] in line
    for file, content in kept.items():
        assert file.read_bytes() == content
    assert not list(ROOT.glob('PWNED')) and not list(tmp_path.glob('*/PWNED'))
