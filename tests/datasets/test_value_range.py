"""16-bit files, of whatever range: the pixels that 8 bits would have."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile

from bm_plugins.datasets.image_io import decode_image
from bm_plugins.datasets.value_range import read_deep, value_bits
from bm_plugins.errors import InputError, UnreadableImage

RGB = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
RGB[0, 0] = 255


def tiff(image, **options):
    stream = io.BytesIO()
    kind = 'rgb' if image.ndim > 2 else 'minisblack'
    tifffile.imwrite(stream, image, photometric=kind, **options)
    return stream.getvalue()


def png(image, sbit=None):
    content = cv2.imencode('.png', image[..., ::-1])[1].tobytes()
    if sbit is None:
        return content
    data = b'sBIT' + bytes([sbit] * 3)
    block = struct.pack('>I', 3) + data + struct.pack('>I', zlib.crc32(data))
    return content[:33] + block + content[33:]  # behind IHDR


def deep(bits):
    """The picture in a camera's values of 8 to 16 bits."""
    return RGB.astype(np.uint16) << (bits - 8)


def decoded(content, bits=None):
    return decode_image(content, bits)[..., ::-1]


@pytest.mark.parametrize('bits', [8, 10, 12, 14, 16])
@pytest.mark.parametrize('encode', [tiff, png])
def test_values_of_fewer_bits_are_not_read_as_black(bits, encode):
    for known in (None, bits):
        assert np.array_equal(decoded(encode(deep(bits)), known), RGB)


def test_all_files_share_the_range_of_the_folder():
    dim = deep(12) >> 1  # by itself it would count as 11 of 12 bits
    assert np.array_equal(decoded(tiff(dim), 12), RGB >> 1)


@pytest.mark.parametrize(
    'options',
    [
        dict(compression='lzw'),
        dict(compression='zlib', predictor=True),
        dict(tile=(16, 16)),
        dict(byteorder='>'),
        dict(bigtiff=True),
    ],
    ids=str,
)
def test_ways_to_write_a_tiff(options):
    assert np.array_equal(decoded(tiff(deep(12), **options)), RGB)


def test_planes_one_after_another():
    planes = np.ascontiguousarray(np.moveaxis(deep(12), 2, 0))
    content = tiff(planes, planarconfig='separate')
    assert np.array_equal(decoded(content), RGB)


def test_the_first_of_several_pages():
    pages = np.stack([deep(12), deep(12)[::-1]])
    assert np.array_equal(decoded(tiff(pages)), RGB)


def test_grey_and_white_that_is_zero():
    expected = np.dstack([RGB[..., 0]] * 3)
    assert np.array_equal(decoded(tiff(deep(16)[..., 0])), expected)
    stream = io.BytesIO()
    values = 65535 - (RGB[..., 0].astype(np.uint16) * 257)
    tifffile.imwrite(stream, values, photometric='miniswhite')
    assert np.array_equal(decoded(stream.getvalue()), expected)


@pytest.mark.parametrize('bits', [8, 10, 12, 14, 16])
def test_white_that_is_zero_of_fewer_bits(bits):
    stream = io.BytesIO()
    values = (1 << bits) - 1 - deep(bits)[..., 0]
    values[-1] = (1 << bits) - 1
    tifffile.imwrite(stream, values, photometric='miniswhite')
    expected = np.dstack([RGB[..., 0]] * 3)
    expected[-1] = 0
    for known in (None, bits):
        assert np.array_equal(decoded(stream.getvalue(), known), expected)


@pytest.mark.parametrize('image', [RGB, deep(12)], ids=['8 bits', '12 bits'])
@pytest.mark.parametrize(
    'options',
    [
        dict(imagej=True, metadata=dict(axes='CYX', mode='composite')),
        dict(ome=True, metadata=dict(axes='CYX')),
        dict(planarconfig='separate'),
    ],
    ids=['ImageJ', 'OME', 'planes'],
)
def test_colours_kept_as_grey_values_are_no_grey_image(image, options):
    planes = np.ascontiguousarray(np.moveaxis(image, 2, 0))
    stream = io.BytesIO()
    tifffile.imwrite(stream, planes, photometric='minisblack', **options)
    with pytest.raises(UnreadableImage, match='3 channels.*save it as RGB'):
        decode_image(stream.getvalue())


def test_grey_with_alpha_and_stacks_of_grey_are_grey_images():
    grey = deep(12)[..., 0]
    expected = np.dstack([RGB[..., 0]] * 3)
    for planes, options in (
        (np.dstack([grey, grey]), dict(extrasamples=['unassalpha'])),
        (np.stack([grey] * 3), dict(imagej=True, metadata=dict(axes='ZYX'))),
        (np.stack([grey] * 3), dict(ome=True, metadata=dict(axes='ZYX'))),
    ):
        stream = io.BytesIO()
        tifffile.imwrite(stream, planes, photometric='minisblack', **options)
        assert np.array_equal(decoded(stream.getvalue()), expected)


@pytest.mark.parametrize('encode', [tiff, png])
def test_alpha_is_dropped(encode):
    alpha = np.full((*RGB.shape[:2], 1), 7, np.uint16)
    if encode is tiff:
        image = np.dstack([deep(12), alpha])
        content = tiff(image, extrasamples=['unassalpha'])
    else:
        content = cv2.imencode(
            '.png', np.dstack([deep(12)[..., ::-1], alpha])
        )[1].tobytes()
    assert np.array_equal(decoded(content), RGB)


def test_what_the_file_says_comes_first():
    said = tiff(deep(12) >> 1, extratags=[(281, 'H', 3, (4095,) * 3, True)])
    packed = tiff(deep(12), bitspersample=12)  # three bytes for two values
    assert read_deep(packed).bits == read_deep(said).bits == 12
    assert np.array_equal(decoded(packed), RGB)
    # whatever the others are of
    assert np.array_equal(decoded(said, 16), RGB >> 1)


@pytest.mark.parametrize('bits', [8, 10])
def test_a_tag_that_the_values_contradict_does_not_count(bits):
    most = (1 << bits) - 1
    content = tiff(deep(12), extratags=[(281, 'H', 3, (most,) * 3, True)])
    assert read_deep(content).bits is None
    assert np.array_equal(decoded(content), RGB)
    assert np.array_equal(decoded(content, 12), RGB)


def test_significant_bits_of_a_png():
    assert np.array_equal(decoded(png(deep(12) >> 1, sbit=12)), RGB >> 1)
    # scaled to 16 bits, as the standard has it
    assert np.array_equal(decoded(png(deep(16), sbit=12)), RGB)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_turned_tiff(orientation):
    tags = [(274, 'H', 1, orientation, True)]
    small = decoded(tiff(RGB, extratags=tags))
    assert np.array_equal(decoded(tiff(deep(12), extratags=tags)), small)
    assert (orientation == 1) == np.array_equal(small, RGB)


@pytest.mark.parametrize(
    'image',
    [
        RGB.astype(np.float32) / 255,
        RGB.astype(np.uint32),
        RGB.astype(np.int16),
    ],
    ids=['float', '32 bits', 'signed'],
)
def test_other_numbers_are_refused_by_name(image):
    with pytest.raises(UnreadableImage, match='save it with 8 or 16 bits'):
        decode_image(tiff(image))


def test_multiplied_alpha_is_refused():
    image = np.dstack([deep(16), deep(16)[..., :1]])
    with pytest.raises(UnreadableImage, match='without alpha'):
        decode_image(tiff(image, extrasamples=['assocalpha']))


@pytest.mark.parametrize('size', [40, 200, -20])
def test_a_damaged_file(size):
    with pytest.raises(UnreadableImage, match='cannot be decoded'):
        decode_image(tiff(deep(12), compression='lzw')[:size])


def test_another_range_than_that_of_the_folder():
    with pytest.raises(UnreadableImage, match='up to 65280 where .* 12 bits'):
        decode_image(tiff(deep(16)), 12)
    with pytest.raises(UnreadableImage, match='up to 255 where .* 12 bits'):
        decode_image(tiff(deep(8)), 12)
    black = decoded(tiff(deep(8) * 0), 12)  # blank, not dark
    assert not black.any()


@pytest.fixture
def folder(tmp_path):
    def fill(**images):
        for name, image in images.items():
            (tmp_path / f'{name}.tif').write_bytes(tiff(image))
        return sorted(file.name for file in tmp_path.iterdir()), tmp_path

    return fill


def test_range_of_a_folder(folder):
    names, root = folder(b=deep(12), c=deep(12) >> 1, d=RGB)
    assert value_bits(names, root) == 12
    assert value_bits(['d.tif'], root) is None
    assert value_bits(['gone.tif', 'x.jpg'], root) is None


def test_a_folder_of_two_ranges(folder):
    names, root = folder(a=deep(16), b=deep(12), c=deep(16))
    with pytest.raises(InputError, match='a.tif goes up to .*b.tif to 4080'):
        value_bits(names, root)


def test_a_few_16_bit_files_among_many(folder):
    _, root = folder(a001=deep(12) >> 1, a002=deep(12))
    for i in range(600):
        (root / f'a{i:03}.png').write_bytes(png(RGB[:2, :2]))
    names = sorted(file.name for file in root.iterdir())
    assert names[2:5:2] == ['a001.tif', 'a002.tif']  # every third is a PNG
    assert value_bits(names, root) == 12


def test_what_cannot_be_read_has_no_range(folder):
    names, root = folder(b=deep(12))
    os.mkfifo(root / 'a.png')  # would be waited for
    (root / 'c.tif').write_bytes(tiff(deep(14))[:40])
    with open(root / 'd.tif', 'wb') as stream:
        stream.write(tiff(deep(14)))
        stream.truncate((1 << 30) + 1)
    assert value_bits(['a.png', *names, 'c.tif', 'd.tif'], root) == 12
