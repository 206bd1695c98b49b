import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from bm_plugins.datasets import Matek
from bm_plugins.datasets.image_cache.pack_building import build_pack
from bm_plugins.datasets.image_cache.packed_images import (
    HEADER_BYTES,
    INDEX,
    PackedImages,
    make_header,
    read_header,
)
from bm_plugins.errors import InputError, UnreadableImage

REAL = Path(__file__).resolve().parents[4] / 'shared/data/bm_tcia_dev'
SIZES = {'a.jpg': (9, 7), 'b/c.png': (20, 31), 'd.jpg': (3, 3)}
PARTS = ('train', 'val', 'test')


def pixels(seed, size):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Three images of three sizes and one broken file."""
    for seed, (name, size) in enumerate(SIZES.items()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), pixels(seed, size))
    (tmp_path / 'broken.jpg').write_bytes(b'no image')
    return tmp_path


def build(folder, kind):
    names = [*SIZES, 'broken.jpg']
    build_pack(folder / 'x.pack', kind, names, folder)
    return PackedImages(folder / 'x.pack'), names


def flip(file, at):
    content = bytearray(file.read_bytes())
    content[at] ^= 4
    file.write_bytes(content)


def test_files_as_they_are(folder):
    pack, names = build(folder, 'jpeg')
    assert len(pack) == 4
    for row, name in enumerate(names):
        content = (folder / name).read_bytes()
        assert bytes(pack.read(row, name)) == content
        assert pack.index['size'][row] == len(content)
        stat = (folder / name).stat()
        assert pack.index['mtime'][row] == stat.st_mtime_ns
    sizes = [(folder / name).stat().st_size for name in names]
    start = 4096 + 4 * 48
    assert pack.index['offset'].tolist() == [
        start + sum(sizes[:row]) for row in range(4)
    ]
    assert (folder / 'x.pack').stat().st_size == start + sum(sizes)
    pack.check(names)


def test_pixels_of_several_sizes(folder):
    pack, names = build(folder, 'decoded')
    for row, (name, size) in enumerate(SIZES.items()):
        image = pack.read(row, name)
        assert image.shape == (*size, 3) and image.flags.writeable
        assert np.array_equal(image, cv2.imread(str(folder / name)))
    assert np.array_equal(pack.read(1, 'b/c.png'), pixels(1, (20, 31)))
    assert pack.read(3, 'broken.jpg') is None
    pack.check(names)


@pytest.mark.parametrize('kind', ['jpeg', 'decoded'])
def test_a_flipped_bit_names_its_image(folder, kind):
    pack, names = build(folder, kind)
    flip(pack.file, int(pack.index['offset'][1]) + 5)
    pack = PackedImages(pack.file)  # opens: the contents are read later
    for row in (0, 2):
        assert pack.read(row, names[row]) is not None
    with pytest.raises(InputError, match='x.pack is damaged .*b/c.png') as e:
        pack.read(1, 'b/c.png')
    assert not isinstance(e.value, UnreadableImage)  # the file may be whole
    with pytest.raises(InputError, match=r'1 image.*packed: b/c.png\.'):
        pack.check(names)


@pytest.mark.parametrize(
    'at,message',
    [
        (0, 'no pack of this version'),
        (12, 'its header is altered'),
        (80, 'its header is altered'),
        (HEADER_BYTES + INDEX.itemsize + 3, 'its index is altered'),
    ],
)
def test_altered_header_and_index(folder, at, message):
    pack, _ = build(folder, 'jpeg')
    flip(pack.file, at)
    with pytest.raises(InputError, match=f'x.pack .*{message}'):
        PackedImages(pack.file)


def test_any_byte_of_the_index(folder):
    pack, _ = build(folder, 'jpeg')
    for at in range(HEADER_BYTES, HEADER_BYTES + INDEX.itemsize, 2):
        flip(pack.file, at)
        with pytest.raises(InputError, match='its index is altered'):
            PackedImages(pack.file)
        flip(pack.file, at)
    PackedImages(pack.file)


@pytest.mark.parametrize('length', [0, 100, HEADER_BYTES + 10, -1])
def test_truncated(folder, length):
    pack, _ = build(folder, 'jpeg')
    content = pack.file.read_bytes()
    pack.file.write_bytes(content[:length])
    with pytest.raises(InputError, match='x.pack'):
        PackedImages(pack.file)


def test_missing(tmp_path):
    with pytest.raises(InputError, match='x.pack cannot be opened: .*No such'):
        PackedImages(tmp_path / 'x.pack')


def test_header():
    header = make_header(kind='jpeg', images=3)
    assert len(header) == 4096 and header.startswith(b'bm-pack 1\n')
    assert read_header(header, 'x') == dict(kind='jpeg', images=3)


def test_pickled_it_is_opened_again(folder):
    pack, names = build(folder, 'jpeg')
    state = pickle.dumps(pack)
    assert len(state) < 2000
    assert bytes(pickle.loads(state).read(0, 'a.jpg')) == bytes(
        pack.read(0, 'a.jpg')
    )
    cv2.imwrite(str(folder / 'a.jpg'), pixels(9, (9, 7)))
    build(folder, 'jpeg')
    with pytest.raises(InputError, match='built anew while it was in use'):
        pickle.loads(state)
    # What is open stays whole.
    pack.check(names)


def of(root, cache, split=PARTS, **settings):
    return Matek(
        str(root),
        split=split,
        pipeline=[dict(type='LoadCellImage')],
        cache=cache,
        **settings,
    )


def same(cells, others):
    assert len(cells) == len(others)
    for i in range(len(cells)):
        one, other = cells[i], others[i]
        assert one['path'] == other['path']
        assert one['gt_label'] == other['gt_label']
        assert one['img'].dtype == other['img'].dtype == np.uint8
        assert np.array_equal(one['img'], other['img'])
        assert one['img_shape'] == other['img_shape'] == one['ori_shape']
    return True


@pytest.fixture
def root(cells, tmp_path):
    root = tmp_path / 'root'
    shutil.copytree(cells, root)
    return root


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['jpeg', 'decoded'])
def test_one_file_serves_all_parts(root, kind):
    for split, fold in ((PARTS, None), ('test', None), ('val', 2)):
        packed = of(root, kind, split, fold=fold)
        assert same(of(root, None, split, fold=fold), packed)
    assert [p.name for p in root.glob('*.pack')] == [f'split.{kind}.pack']
    part = packed.get_subset([3, 1])
    assert part[1]['path'] == packed[1]['path']
    assert np.array_equal(part[0]['img'], packed[3]['img'])


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason='real images are not here')
@pytest.mark.parametrize('kind', ['jpeg', 'decoded'])
def test_real_images(kind, tmp_path):
    packed = of(REAL, kind, 'test', cache_dir=str(tmp_path / 'new'))
    assert same(of(REAL, None, 'test'), packed)


def first(batch):
    return batch


@pytest.mark.slow
@pytest.mark.parametrize('start', ['fork', 'spawn'])
def test_workers(root, start):
    packed = of(root, 'decoded')
    loader = DataLoader(
        packed,
        batch_size=8,
        num_workers=2 if start == 'fork' else 1,  # a spawn takes long
        collate_fn=first,
        multiprocessing_context=start,
    )
    drawn = [item for batch in loader for item in batch]
    assert same(of(root, None), drawn)


@pytest.mark.parametrize('kind', ['jpeg', 'decoded'])
def test_unreadable_image(root, kind):
    broken, other = (of(root, None).get_data_info(i) for i in (3, 4))
    Path(broken['img_path']).write_bytes(b'no image')
    with pytest.raises(UnreadableImage, match=broken['path']):
        of(root, kind)[3]
    part = of(root, kind, ('train', 'val'), on_unreadable='skip', fold=4)
    for i in range(len(part)):
        if part.get_data_info(i)['path'] == broken['path']:
            assert part[i]['path'] != broken['path']
            assert part.unreadable[i] == 1 == part.unreadable.sum()
            break
    else:
        pytest.fail('not in that part')
    assert other['path'] == of(root, kind)[4]['path']


def test_what_cannot_be_cached(root):
    with pytest.raises(InputError, match="cache='png': expected 'jpeg'"):
        of(root, 'png')
    with pytest.raises(InputError, match='LoadImageFromFile reads the files'):
        Matek(
            str(root),
            cache='jpeg',
            pipeline=[dict(type='LoadImageFromFile')],
        )
