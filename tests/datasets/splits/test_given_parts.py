"""Lists of images, and folders that name the parts, through prepare."""

import shutil
from collections import defaultdict

import pytest

from bm_plugins.datasets import Matek
from bm_plugins.datasets.manifest import protocol_of, read_manifest
from bm_plugins.datasets.prepare import check, prepare
from bm_plugins.errors import InputError

CLASSES = ('BLA', 'LYT')


@pytest.fixture
def root(cells, tmp_path):
    """20 images of each of two classes."""
    for code in CLASSES:
        folder = tmp_path / 'data/BM_cytomorphology_data' / code
        folder.mkdir(parents=True)
        for i in range(1, 21):
            name = f'{code}/{code}_{i:05}.jpg'
            source = cells / 'BM_cytomorphology_data' / name
            shutil.copy(source, folder)
    return tmp_path / 'data'


def part_of(root):
    paths, _, splits, folds = read_manifest(root / 'split.csv')
    return dict(zip(paths, splits, strict=True)), folds


def patients(root, spell='{}', head='path,group', between=','):
    """Four images a patient; the list, and its rows."""
    rows = []
    for code in CLASSES:
        rows += [
            (f'{code}/{code}_{i:05}.jpg', f'p{(i - 1) // 4}{code}')
            for i in range(1, 21)
        ]
    lines = [f'{spell.format(p)}{between}{who}' for p, who in rows]
    file = root / 'patients.csv'
    file.write_text('\n'.join(filter(None, [head, *lines])))
    return file, rows


@pytest.mark.parametrize(
    ('spell', 'head', 'between'),
    [
        ('{}', 'path,group', ','),
        ('BM_cytomorphology_data/{}', 'path,group', ','),
        ('./{}', ' Path ;GROUP', ';'),
        ('D:\\data\\{}', 'path\tgroup', '\t'),
        ('{}', 'sep=;\nImage Path;group', ';'),
    ],
)
def test_no_patient_is_in_two_parts(root, spell, head, between, capsys):
    file, rows = patients(root, spell, head, between)
    prepare(root, groups=file)
    parts, folds = part_of(root)
    of_fold = dict(zip(parts, folds, strict=True))
    for places in (parts, of_fold):
        found = defaultdict(set)
        for path, who in rows:
            found[who].add(places[path])
        assert len(found) == 10
        assert all(len(places) == 1 for places in found.values())
    assert {*parts.values()} == {'train', 'val', 'test'}
    assert 'groups of patients.csv together' in protocol_of(
        root / 'split.csv', None
    )
    assert '40 of 40 images in 10 groups' in capsys.readouterr().out


def test_file_names_alone(root):
    file, rows = patients(root)
    lines = [f'{path.partition("/")[2]},{who}' for path, who in rows]
    file.write_text('\n'.join(['path,group', *lines]))
    prepare(root, groups=file)
    parts, _ = part_of(root)
    for who in {who for _, who in rows}:
        assert len({parts[path] for path, w in rows if w == who}) == 1


def test_one_patient_in_several_spellings_is_one(root):
    file = root / 'patients.csv'
    names = ['M\xfcller 1', 'mu\u0308ller  1', ' M\xfcLLER\xa01 ']
    lines = [f'BLA/BLA_{i:05}.jpg,{names[i % 3]}' for i in range(1, 21)]
    file.write_text('\n'.join(['path,group', *lines]), encoding='utf-8')
    prepare(root, groups=file, overwrite=True)
    parts, _ = part_of(root)
    assert len({part for p, part in parts.items() if p[:3] == 'BLA'}) == 1


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('BLA/BLA_00001.jpg,1\nLYT/LYT_00001.jpg,1\n', 'no column path, gro'),
        (
            'path,group\nBLA/BLA_00001.jpg,1\n' + 'x/BLA_00002.jpg,1\n',
            '1 of 2 rows match no image: x/BLA_00002.jpg',
        ),
        (
            'path,group\nBLA_00001.jpg,1\nBLA/BLA_00001.jpg,2\n',
            'line 3: BLA/BLA_00001.jpg is of group 2, but was of 1',
        ),
        ('path,group\nBLA/BLA_00001.jpg,\n', 'line 2: no group'),
    ],
)
def test_groups_that_are_refused_before_decoding(root, text, message):
    (root / 'BM_cytomorphology_data/BLA/BLA_00009.jpg').write_bytes(b'broken')
    file = root / 'patients.csv'
    file.write_text(text)
    with pytest.raises(InputError, match=f'--groups .*{message}'):
        prepare(root, groups=file)
    assert not list(root.glob('split*'))


def test_a_test_list_counts_by_file_names(root):
    file = root / 'bm_test.csv'
    lines = ['Image Path;Label', '/mnt/d/BLA/0-9/BLA_00003.jpg; BLA', ';']
    lines += ['D:\\x\\LYT_00004.jpg;LYT', 'LYT_00004.jpg;LYT']
    file.write_text('\n'.join(lines), encoding='utf-8-sig')
    prepare(root, test_list=file)
    parts, folds = part_of(root)
    tests = {path for path, part in parts.items() if part == 'test'}
    assert tests == {'BLA/BLA_00003.jpg', 'LYT/LYT_00004.jpg'}
    assert {*folds} == {None}
    lines += ['x/LYT_00005.jpg;BLA', *(f'BLA_9{i}.jpg;BLA' for i in range(9))]
    file.write_text('\n'.join(lines))
    message = (
        r'10 of 13 rows match no image: x/LYT_00005.jpg of class BLA \(found '
        r'LYT/LYT_00005.jpg \(LYT\)\), BLA_90.jpg of class BLA \(found none'
    )
    before = (root / 'split.csv').read_bytes()
    with pytest.raises(InputError, match=message):  # no process decodes
        prepare(root, test_list=file, overwrite=True, workers=0)
    assert (root / 'split.csv').read_bytes() == before


def test_an_unreadable_image_of_a_test_list(root):
    file = root / 'bm_test.csv'
    file.write_text('Image Path,Label\nBLA_00003.jpg,BLA\n')
    (root / 'BM_cytomorphology_data/BLA/BLA_00003.jpg').write_bytes(b'')
    with pytest.raises(InputError, match=r'1 image.*BLA_00003.*\(empty file'):
        prepare(root, test_list=file)


def move(root, parts):
    """Sort the images into folders of parts, by their number."""
    folder = root / 'BM_cytomorphology_data'
    for file in sorted(folder.rglob('*.jpg')):
        part = parts[int(file.stem[-2:]) % len(parts)]
        place = folder / part / file.parent.name
        place.mkdir(parents=True, exist_ok=True)
        file.rename(place / file.name)


def test_folders_that_name_the_parts_are_the_protocol(root):
    move(root, ['Train', 'Train', 'Test', 'Train'])
    prepare(root)
    parts, folds = part_of(root)
    assert {p for p, part in parts.items() if part == 'test'} == {
        path for path in parts if path.startswith('Test/')
    }
    counts = [[*parts.values()].count(x) for x in ('train', 'val', 'test')]
    assert counts == [26, 4, 10] and {*folds} == {None}
    manifest = root / 'split.csv'
    assert protocol_of(manifest, None) == 'parts of the folders'
    with pytest.raises(InputError, match='no folds.*Unset BM_FOLD'):
        Matek(str(root), fold='0', pipeline=[])
    check(root)
    prepare(root, overwrite=True, ignore_folders=True)
    parts, folds = part_of(root)
    assert 'train' in {part for p, part in parts.items() if p[:4] == 'Test'}
    assert {*folds} == {0, 1, 2, 3, 4}
    assert 'folders ignored' in protocol_of(manifest, None)
    check(root)
    with pytest.raises(InputError, match='leave out --test-list and --cont'):
        prepare(root, overwrite=True, contiguous=True)


def test_a_val_folder_is_the_val_part(root):
    move(root, ['train', 'test', 'validation', 'train'])
    prepare(root)
    parts, _ = part_of(root)
    assert {p for p, part in parts.items() if part == 'val'} == {
        path for path in parts if path.startswith('validation/')
    }


def test_groups_across_the_folders_are_refused(root):
    move(root, ['train', 'test'])
    file, _ = patients(root)
    file.write_text(
        'path,group\nBLA_00001.jpg,one\nBLA_00002.jpg,one\nLYT_00001.jpg,x\n'
    )
    with pytest.raises(
        InputError, match='1 groups are in several.*first: one'
    ):
        prepare(root, groups=file)
    prepare(root, groups=file, ignore_folders=True)


def test_an_old_manifest_against_its_folders(root, capsys):
    move(root, ['train', 'test'])
    prepare(root, ignore_folders=True)
    Matek(str(root), pipeline=[])
    assert 'of another part' not in capsys.readouterr().out
    (root / 'split.stamp.json').unlink()  # as of one who did not know
    Matek(str(root), pipeline=[])
    assert 'image(s) are of another part than' in capsys.readouterr().out
    with pytest.raises(InputError, match='of another part than their folder'):
        check(root)
    check(root, ignore_folders=True)


def test_a_class_without_an_image(root):
    with pytest.raises(InputError, match='1 of the classes has no .*: SNE. L'):
        prepare(root, classes=(*CLASSES, 'SNE'))
    with pytest.raises(InputError, match=r'folder LYT \(did you mean LYI\?'):
        prepare(root, classes=('BLA', 'LYI'))
    prepare(root)  # the release's may be absent
    with pytest.raises(InputError, match='1 of the classes has no .*: SNE. L'):
        check(root, classes=(*CLASSES, 'SNE'))


def test_names_that_a_table_does_not_give_back(root):
    folder = root / 'BM_cytomorphology_data'
    shutil.copy(folder / 'BLA/BLA_00001.jpg', folder / 'BLA/a\\b.jpg')
    shutil.copy(folder / 'BLA/BLA_00001.jpg', folder / ' BLA_7.jpg')
    with pytest.raises(InputError, match=' BLA_7.jpg'):
        prepare(root)
    (folder / ' BLA_7.jpg').unlink()
    prepare(root)
    left_out = (root / 'split_left_out.csv').read_text().splitlines()[1:]
    assert left_out == [
        'BLA/a\\b.jpg,"the name holds a backslash, or begins with a space"'
    ]


@pytest.mark.parametrize('spell', ['{}', 'data\\BM_cytomorphology_data\\{}'])
def test_a_manifest_of_a_spreadsheet(root, spell):
    prepare(root)
    expected = read_manifest(root / 'split.csv')
    lines = (root / 'split.csv').read_text().splitlines()[1:]
    rows = [line.split(',') for line in lines]
    text = ['Path;Label;Split;Fold']
    for path, label, split, fold in rows:
        path = spell.format(path).replace('/', '\\')
        text.append(f'{path};{label};{split.title()};{fold}')
    (root / 'split.csv').write_text('\r\n'.join(text), encoding='utf-8-sig')
    check(root)
    cells = Matek(str(root), split=('train', 'val', 'test'), pipeline=[])
    found = [cells.get_data_info(i)['path'] for i in range(len(cells))]
    assert found == expected[0]
    folder = root / 'BM_cytomorphology_data'
    assert read_manifest(root / 'split.csv', folder=folder) == expected
