from unicodedata import normalize

import pytest

from bm_plugins.datasets.listed_paths import check_files, match_paths, on_disk
from bm_plugins.errors import InputError

KNOWN = ['BLA/1-9/BLA_1.jpg', 'LYT/Zö.jpg', 'LYT/same.jpg', 'NGS/same.jpg']
SPELLINGS = [
    '{}',
    './{}',
    'BM_cytomorphology_data/{}',
    'bone_marrow_cell_dataset/{}',
    'matek/{}',
    'data/matek/BM_cytomorphology_data/{}',
    '../matek/{}',
    'C:/Users/me/matek/BM_cytomorphology_data/{}',
    'BLA/../{}',
]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / 'matek/BM_cytomorphology_data'
    for path in KNOWN:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b'')
    return root


@pytest.mark.parametrize('spelling', [*SPELLINGS, 'absolute'])
@pytest.mark.parametrize('windows', [False, True])
@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_spellings_of_a_path(folder, spelling, windows, form):
    spelling = spelling.replace('absolute', f'{folder}/{{}}')
    listed = [normalize(form, spelling.format(path)) for path in KNOWN]
    if windows:
        listed = [path.replace('/', '\\') for path in listed]
    assert match_paths(listed, KNOWN, folder, 'list') == KNOWN
    assert on_disk(listed, folder) == (KNOWN, [])


@pytest.mark.parametrize('name', ['é/ü.jpg', 'BLA/ü.jpg', 'ü.jpg'])
def test_names_on_disk_may_be_decomposed(folder, name):
    path = normalize('NFD', name)
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_bytes(b'')
    assert on_disk([normalize('NFC', path)], folder) == ([path], [])
    known = [path, 'x.jpg']
    assert match_paths([name], known, folder, 'list') == [path]


def test_a_name_alone_counts_where_one_image_has_it(folder):
    found = match_paths(['BLA_1.jpg', 'Zö.jpg'], KNOWN, folder, 'list')
    assert found == KNOWN[:2]
    listed = ['same.jpg', 'BLA_1.jpg', 'x/BLA_1.jpg', 'bla/1-9/BLA_1.jpg', '']
    message = (
        r'^list: 4 of 5 rows match no image: same.jpg \(several have this '
        r'name\), x/BLA_1.jpg, bla/1-9/BLA_1.jpg and 1 more\. Expected '
        r'paths relative to .*BM_cytomorphology_data, as BLA/1-9/BLA_1.jpg\.'
    )
    with pytest.raises(InputError, match=message):
        match_paths(listed, KNOWN, folder, 'list')


def test_what_is_not_on_disk(folder, tmp_path):
    listed = [KNOWN[0], 'BLA/x.jpg', '/etc/passwd', 'BLA_1.jpg', 'a\0b/c.jpg']
    assert on_disk(listed, folder) == (listed, [1, 2, 3, 4])
    with pytest.raises(InputError, match='4 file.*: BLA/x.jpg, /etc/passwd, '):
        check_files(listed, folder, 'split.csv')
    with pytest.raises(InputError, match='none does not exist'):
        check_files(listed, tmp_path / 'none', 'split.csv')
