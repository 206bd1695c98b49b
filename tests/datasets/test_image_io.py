"""Images of all kinds, and what is refused."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from bm_plugins.datasets.image_io import (
    decode_image,
    find_fault,
    find_faults,
    jpeg_shape,
    read_image,
)
from bm_plugins.errors import InputError, UnreadableImage
from tests.datasets.test_prepare import picture as cell

RGB = np.zeros((40, 30, 3), np.uint8)
RGB[:] = 200, 100, 50
RGB[10:30, 5:25] = 30, 60, 90
NOISE = np.random.default_rng(0).integers(0, 256, (31, 45, 3), np.uint8)


def encoded(kind, mode='RGB', image=RGB, **options):
    stream = io.BytesIO()
    Image.fromarray(image).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def with_alpha(kind, image=NOISE, **options):
    """Half transparent and unassociated, as Pillow writes it."""
    rng = np.random.default_rng(1)
    alpha = rng.integers(0, 256, (*image.shape[:2], 1), np.uint8)
    stream = io.BytesIO()
    picture = Image.fromarray(np.dstack([image, alpha]))
    picture.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    'options',
    [
        dict(quality=95),
        dict(quality=80, subsampling='4:2:0'),
        dict(quality=80, progressive=True),
        dict(mode='L'),
    ],
    ids=str,
)
def test_pixels_of_a_jpeg_are_opencv_s(options):
    content = encoded('JPEG', image=NOISE, **options)
    found = decode_image(content)
    expected = cv2.imdecode(np.frombuffer(content, np.uint8), 1)
    np.testing.assert_array_equal(found, expected)
    assert found.flags.c_contiguous and found.flags.writeable


@pytest.mark.parametrize(
    'content',
    [
        encoded('PNG', image=NOISE),
        encoded('BMP', image=NOISE),
        encoded('TIFF', image=NOISE),
        encoded('TIFF', image=NOISE, compression='tiff_lzw'),
        encoded('WEBP', image=NOISE, lossless=True),
        with_alpha('PNG'),
        with_alpha('TIFF'),
        with_alpha('TIFF', compression='tiff_deflate'),
        with_alpha('WEBP', lossless=True, exact=True),
    ],
    ids=['png', 'bmp', 'tiff', 'lzw', 'webp']
    + ['png alpha', 'tiff alpha', 'deflate alpha', 'webp alpha'],
)
def test_pixels_are_those_of_the_colours(content):
    np.testing.assert_array_equal(decode_image(content)[..., ::-1], NOISE)


def sixteen_bit():
    deep = RGB[..., ::-1].astype(np.uint16) * 257
    return cv2.imencode('.png', deep)[1].tobytes()


def lab():
    srgb, to = map(ImageCms.createProfile, ('sRGB', 'LAB'))
    picture = ImageCms.profileToProfile(
        Image.fromarray(RGB), srgb, to, outputMode='LAB'
    )
    stream = io.BytesIO()
    picture.save(stream, 'TIFF')
    return stream.getvalue()


def transparent_palette():
    stream = io.BytesIO()
    picture = Image.fromarray(RGB).quantize(8)
    picture.save(stream, 'PNG', transparency=b'\x07' * 8)
    return stream.getvalue()


@pytest.mark.parametrize(
    'content',
    [
        encoded('JPEG', quality=95),
        encoded('JPEG', 'CMYK', quality=95),
        encoded('TIFF', 'CMYK'),
        encoded('TIFF', compression='jpeg', quality=95),
        lab(),
        sixteen_bit(),
        transparent_palette(),
        encoded(
            'TIFF', save_all=True, append_images=[Image.new('RGB', (9, 9))]
        ),
    ],
    ids=['jpeg', 'cmyk', 'cmyk tiff', 'jpeg tiff', 'lab', '16 bit', 'palette']
    + ['pages'],
)
def test_colours_are_those_of_the_image(tmp_path, content):
    (tmp_path / 'a.jpg').write_bytes(content)
    image = read_image('a.jpg', tmp_path)
    assert image.shape == (40, 30, 3) and image.dtype == np.uint8
    for place in ((3, 3), (20, 15)):
        expected = RGB[place].astype(int)
        assert np.abs(image[place][::-1] - expected).max() <= 5


@pytest.mark.parametrize('mode', ['L', 'LA'])
def test_grey_has_three_equal_channels(tmp_path, mode):
    (tmp_path / 'a.png').write_bytes(encoded('PNG', mode))
    image = read_image('a.png', tmp_path)
    assert image[3, 3].tolist() == [124] * 3  # .299 R + .587 G + .114 B


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


# What numpy does to the pixels that are stored, by the standard's table.
TURNED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x),
}


@pytest.mark.parametrize('orientation', TURNED)
@pytest.mark.parametrize('kind', ['PNG', 'TIFF', 'WEBP'])
def test_orientation(kind, orientation):
    options = dict(lossless=True) if kind == 'WEBP' else {}
    content = encoded(kind, image=NOISE, exif=exif(orientation), **options)
    found = decode_image(content)[..., ::-1]
    np.testing.assert_array_equal(found, TURNED[orientation](NOISE))


def test_orientation_of_a_camera_wherever_it_stands():
    plain = encoded('JPEG', image=NOISE)
    turned = encoded('JPEG', image=NOISE, exif=exif(6))
    start = turned.index(b'\xff\xe1')
    length = int.from_bytes(turned[start + 2 : start + 4], 'big')
    tag = turned[start : start + 2 + length]
    profile = b'\xff\xe2' + struct.pack('>H', 9002) + bytes(9000)
    late = plain[:2] + profile + tag + plain[2:]
    expected = np.rot90(decode_image(plain), -1)
    for content in (turned, late):
        assert jpeg_shape(content) is None
        np.testing.assert_array_equal(decode_image(content), expected)
    assert jpeg_shape(plain[:2] + profile + plain[2:]) == NOISE.shape[:2]


@pytest.mark.parametrize('missing', [2, 20, 400])
def test_of_a_file_without_its_end_opencv_decides(missing):
    content = encoded('JPEG', image=NOISE)[:-missing]
    expected = cv2.imdecode(np.frombuffer(content, np.uint8), 1)
    if expected is None:
        with pytest.raises(ValueError):
            decode_image(content)
    else:
        np.testing.assert_array_equal(decode_image(content), expected)


@pytest.mark.parametrize(
    'content', [b'', b'\xff\xd8', b'no image', b'\0' * 99]
)
def test_no_image(content):
    with pytest.raises(UnreadableImage, match='cannot be decoded'):
        decode_image(content)


def png_that_claims(width, height, depth=8):
    def block(name, data):
        check = struct.pack('>I', zlib.crc32(name + data))
        return struct.pack('>I', len(data)) + name + data + check

    head = struct.pack('>IIBBBBB', width, height, depth, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + block(b'IHDR', head)
        + block(b'IDAT', zlib.compress(b'\0' * 100))
        + block(b'IEND', b'')
    )


def half_copied(content):
    """Room for all of a file, with its first half."""
    half = len(content) // 2
    return content[:half] + bytes(len(content) - half)


def tiff(**options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, NOISE, photometric='rgb', **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'empty file'),
        (half_copied(encoded('JPEG', image=NOISE)), 'truncated JPEG'),
        (half_copied(encoded('PNG', image=NOISE)), 'truncated PNG'),
        (half_copied(encoded('WEBP', image=NOISE)), 'ends in zeros'),
        (
            half_copied(encoded('WEBP', image=NOISE, lossless=True)),
            'ends in zeros',
        ),
        (half_copied(tiff(compression='zlib')), 'ends in zeros'),
        (half_copied(tiff(compression='lzw')), 'ends in zeros'),
        (b'no image', 'cannot be decoded'),
        (b'<svg/>', 'cannot be decoded'),
        (encoded('JPEG')[:-100], 'truncated JPEG'),
        (encoded('PNG')[:-20], 'truncated PNG'),
        (encoded('TIFF')[:1000], 'cannot be decoded'),
        (encoded('BMP')[:1000], 'cannot be decoded'),
        (png_that_claims(11_000, 10_000), 'more than 100 million pixels'),
        (png_that_claims(11_000, 10_000, 16), 'more than 100 million pixels'),
        (png_that_claims(60_000, 60_000), 'more than 100 million pixels'),
    ],
)
def test_what_cannot_be_used_has_a_reason(tmp_path, content, reason):
    (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(UnreadableImage) as fault:
        read_image('a.png', tmp_path)
    assert reason in str(fault.value)
    assert len(str(fault.value).splitlines()) == 1
    assert find_fault('a.png', tmp_path) == str(fault.value)


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        ('gone.jpg', 'No such file'),
        ('line\nend.jpg', 'control characters'),
        ('nul\0.jpg', 'control characters'),
        (os.fsdecode(b'\xff.jpg'), 'not UTF-8'),
        ('pipe.jpg', 'is no file'),
        ('folder.jpg', 'is no file'),
        ('slide.SVS', 'of a kind that is not read'),
    ],
)
def test_names_and_files_of_other_kinds(tmp_path, name, reason):
    os.mkfifo(tmp_path / 'pipe.jpg')
    (tmp_path / 'folder.jpg').mkdir()
    for name_there in ('line\nend.jpg', 'slide.SVS'):
        (tmp_path / name_there).write_bytes(encoded('JPEG'))
    with pytest.raises(UnreadableImage, match=reason):
        read_image(name, tmp_path)


def test_a_huge_file_is_not_read(tmp_path):
    with open(tmp_path / 'a.tif', 'wb') as stream:
        stream.truncate((1 << 30) + 1)  # a hole, no space on the disk
    with pytest.raises(UnreadableImage, match='larger than 1024 MiB'):
        read_image('a.tif', tmp_path)


def test_many_on_several_processes(tmp_path):
    contents = {f'{i}.jpg': cell(i) for i in range(5)} | {'bad.jpg': b'no'}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    faults = find_faults(list(contents), tmp_path, workers=2)
    assert faults == {'bad.jpg': 'cannot be decoded'}
    with pytest.raises(InputError, match='--workers 0'):
        find_faults([], tmp_path, workers=0)
