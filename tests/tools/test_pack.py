import shutil

import pytest


@pytest.fixture
def root(cells, tmp_path):
    shutil.copytree(cells, tmp_path / 'root')
    return tmp_path / 'root'


def test_build_and_check(root, tool):
    status, printed, error = tool('pack', root)
    assert status == 0, error
    file = root / 'split.jpeg.pack'
    assert f'{file} is ready: 62 images, 0 of them unreadable' in printed
    assert '--cfg-options train_dataloader.dataset.cache=jpeg' in printed
    status, printed, error = tool('pack', root, '--check')
    assert status == 0 and f'{file} is whole: 62 images' in printed
    content = bytearray(file.read_bytes())
    content[-1] ^= 1  # of the last image of the manifest
    file.write_bytes(content)
    last = (root / 'split.csv').read_text().splitlines()[-1].split(',')[0]
    status, _, error = tool('pack', root, '--check')
    assert status == 2 and error.startswith('error: ')
    assert last in error and len(error.splitlines()) == 1


def test_another_folder_and_unreadable_images(root, tool, tmp_path):
    broken = root / 'BM_cytomorphology_data/LYT/LYT_00003.jpg'
    broken.write_bytes(b'no image')
    out = tmp_path / 'packs'
    args = [root, '--kind', 'decoded', '--output-dir', out]
    status, printed, error = tool('pack', *args)
    assert status == 0, error
    assert 'cannot be read: LYT/LYT_00003.jpg' in printed
    assert '62 images, 1 of them unreadable' in printed
    assert len(list(out.glob('split.*.decoded.pack'))) == 1
    assert not list(root.glob('*.pack'))
    broken.unlink()
    status, _, error = tool('pack', *args, '--check')
    assert status == 2
    assert '1 of 62 files changed, the first: LYT/LYT_00003.jpg' in error


def test_bad_input_is_one_line(root, tool, tmp_path):
    for args in ([tmp_path / 'no'], [root, '--check']):
        status, _, error = tool('pack', *args)
        assert status == 2 and error.startswith('error: ')
        assert len(error.splitlines()) == 1
