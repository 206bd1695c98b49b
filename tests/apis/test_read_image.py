"""Images of all kinds, and what is refused."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from bm_plugins.apis.read_image import read_image
from bm_plugins.errors import UnreadableImage

RGB = np.zeros((40, 30, 3), np.uint8)
RGB[:] = 200, 100, 50
RGB[10:30, 5:25] = 30, 60, 90


def encoded(kind, mode='RGB', **options):
    stream = io.BytesIO()
    Image.fromarray(RGB).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def sixteen_bit():
    deep = RGB[..., ::-1].astype(np.uint16) * 257
    return cv2.imencode('.png', deep)[1].tobytes()


def transparent():
    stream = io.BytesIO()
    alpha = np.dstack([RGB, np.full(RGB.shape[:2], 7, np.uint8)])
    Image.fromarray(alpha).save(stream, 'PNG')
    return stream.getvalue()


@pytest.mark.parametrize(
    'content',
    [
        encoded('PNG'),
        encoded('BMP'),
        encoded('TIFF', compression='tiff_lzw'),
        encoded('JPEG', quality=95),
        encoded('JPEG', 'CMYK', quality=95),
        sixteen_bit(),
        transparent(),
    ],
    ids=['png', 'bmp', 'tiff', 'jpeg', 'cmyk', '16 bit', 'alpha'],
)
def test_colours_are_those_of_the_image(tmp_path, content):
    (tmp_path / 'a.jpg').write_bytes(content)
    image = read_image('a.jpg', tmp_path)
    assert image.shape == (40, 30, 3) and image.dtype == np.uint8
    for place in ((3, 3), (20, 15)):
        expected = RGB[place].astype(int)
        assert np.abs(image[place][::-1] - expected).max() <= 5


def test_grey_has_three_equal_channels(tmp_path):
    (tmp_path / 'a.png').write_bytes(encoded('PNG', 'L'))
    image = read_image('a.png', tmp_path)
    assert image[3, 3].tolist() == [124] * 3  # .299 R + .587 G + .114 B


def png_that_claims(width, height):
    def block(name, data):
        check = struct.pack('>I', zlib.crc32(name + data))
        return struct.pack('>I', len(data)) + name + data + check

    head = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n'
        + block(b'IHDR', head)
        + block(b'IDAT', zlib.compress(b'\0' * 100))
        + block(b'IEND', b'')
    )


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'empty file'),
        (b'no image', 'cannot be decoded'),
        (b'<svg/>', 'cannot be decoded'),
        (encoded('JPEG')[:-100], 'truncated JPEG'),
        (encoded('PNG')[:-20], 'truncated PNG'),
        (encoded('TIFF')[:1000], 'cannot be decoded'),
        (encoded('BMP')[:1000], 'cannot be decoded'),
        (png_that_claims(11_000, 10_000), 'more than 100 million pixels'),
        (png_that_claims(60_000, 60_000), 'more than 100 million pixels'),
    ],
)
def test_what_cannot_be_used_has_a_reason(tmp_path, content, reason):
    (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(UnreadableImage) as fault:
        read_image('a.png', tmp_path)
    assert reason in str(fault.value)
    assert len(str(fault.value).splitlines()) == 1


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        ('gone.jpg', 'No such file'),
        ('line\nend.jpg', 'control characters'),
        ('nul\0.jpg', 'control characters'),
        (os.fsdecode(b'\xff.jpg'), 'not UTF-8'),
        ('pipe.jpg', 'is no file'),
        ('folder.jpg', 'is no file'),
    ],
)
def test_names_and_files_of_other_kinds(tmp_path, name, reason):
    os.mkfifo(tmp_path / 'pipe.jpg')
    (tmp_path / 'folder.jpg').mkdir()
    (tmp_path / 'line\nend.jpg').write_bytes(encoded('JPEG'))
    with pytest.raises(UnreadableImage, match=reason):
        read_image(name, tmp_path)


def test_a_huge_file_is_not_read(tmp_path):
    with open(tmp_path / 'a.tif', 'wb') as stream:
        stream.truncate((1 << 30) + 1)  # a hole, no space on the disk
    with pytest.raises(UnreadableImage, match='larger than 1024 MiB'):
        read_image('a.tif', tmp_path)
