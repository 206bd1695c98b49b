"""Scales that files state, and fields of view, worked out by hand."""

import re
import struct

import numpy as np
import pytest
from PIL import Image, TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from bm_plugins.datasets.scale import (
    Scale,
    file_um_per_px,
    fit_field,
    measure_scale,
    noted_scale,
    parse_um_per_px,
)
from bm_plugins.errors import InputError

PIXELS = Image.new('RGB', (60, 40))
OME = (
    '<?xml version="1.0"?><OME><Image><{0}Pixels ID="Pixels:0" '
    'PhysicalSizeX="{1}" {2}PhysicalSizeY="{3}" {4}Type="uint8"/>'
)


def tiff(file, description='', **tags):
    found = ImageFileDirectory_v2()
    if description:
        found[270] = description.encode()
        found.tagtype[270] = TiffTags.ASCII
    for number, value in tags.items():
        found[int(number[1:])] = value
    PIXELS.save(file, tiffinfo=found)


def exif(file, unit, across, down, turn=1):
    tags = Image.Exif()
    tags[282], tags[283], tags[296], tags[274] = across, down, unit, turn
    PIXELS.save(file, exif=tags)


INCH = dict(t282=254_000.0, t283=127_000.0, t296=2)
IMAGEJ = dict(t282=8.0, t283=4.0, t296=1)
STATED = {
    'inch.tif': (lambda f: tiff(f, **INCH), (0.1, 0.2)),
    'inch by default.tif': (
        lambda f: tiff(f, t282=254_000.0, t283=254_000.0),
        (0.1, 0.1),
    ),
    'centimetre.tif': (
        lambda f: tiff(f, t282=40_000.0, t283=40_000.0, t296=3),
        (0.25, 0.25),
    ),
    'no unit.tif': (lambda f: tiff(f, **INCH | dict(t296=1)), None),
    'screen.tif': (lambda f: tiff(f, t282=72.0, t283=72.0, t296=2), None),
    'imagej.tif': (
        lambda f: tiff(f, 'ImageJ=1.53\nunit=micron\n', **IMAGEJ),
        (0.125, 0.25),
    ),
    'imagej escaped.tif': (
        lambda f: tiff(f, 'ImageJ=1.53\nunit=\\u00B5m\nloop=0\n', **IMAGEJ),
        (0.125, 0.25),
    ),
    'imagej nm.tif': (
        lambda f: tiff(f, 'ImageJ=\nunit=nm\n', t282=0.01, t283=0.01, t296=1),
        (0.1, 0.1),
    ),
    'imagej pixels.tif': (
        lambda f: tiff(f, 'ImageJ=\nunit=pixel\n', **IMAGEJ),
        None,
    ),
    'ome.tif': (
        lambda f: tiff(f, OME.format('', 0.1, '', 0.2, '')),
        (0.1, 0.2),
    ),
    'ome µm.tif': (
        lambda f: tiff(
            f, OME.format('ome:', 0.1, *['PhysicalSizeXUnit="µm" '], 0.1, '')
        ),
        (0.1, 0.1),
    ),
    'ome nm.tif': (
        lambda f: tiff(
            f,
            OME.format(
                *('', 100, 'PhysicalSizeXUnit="nm" '),
                *(200, 'PhysicalSizeYUnit="nm" '),
            ),
        ),
        (0.1, 0.2),
    ),
    'ome pixel.tif': (
        lambda f: tiff(
            f, OME.format('', 1, 'PhysicalSizeXUnit="pixel" ', 1, '')
        ),
        None,
    ),
    'ome before resolution.tif': (
        lambda f: tiff(f, OME.format('', 0.5, '', 0.5, ''), **INCH),
        (0.5, 0.5),
    ),
    'aperio.tif': (
        lambda f: tiff(f, 'Aperio Image Library v11|AppMag = 40|MPP = 0.25'),
        (0.25, 0.25),
    ),
    'turned.tif': (lambda f: tiff(f, t274=6, **INCH), (0.2, 0.1)),
    'a.png': (
        lambda f: PIXELS.save(f, dpi=(254_000, 127_000)),
        (0.1, 0.2),
    ),
    'print.png': (lambda f: PIXELS.save(f, dpi=(300, 300)), None),
    'plain.png': (PIXELS.save, None),
    'a.bmp': (lambda f: PIXELS.save(f, dpi=(254_000, 254_000)), (0.1, 0.1)),
    'a.jpg': (lambda f: PIXELS.save(f, dpi=(50_800, 25_400)), (0.5, 1.0)),
    'print.jpg': (lambda f: PIXELS.save(f, dpi=(96, 96)), None),
    'exif.jpg': (lambda f: exif(f, 3, 100_000.0, 50_000.0), (0.1, 0.2)),
    'turned.jpg': (lambda f: exif(f, 3, 100_000.0, 50_000.0, 6), (0.2, 0.1)),
    'camera.jpg': (lambda f: exif(f, 2, 300.0, 300.0), None),
    'damaged.tif': (lambda f: f.write_bytes(b'II*\0\xff\xff\xff\x7f'), None),
    'no image.png': (lambda f: f.write_bytes(b'text'), None),
    'gone.png': (lambda f: None, None),
}


@pytest.mark.parametrize('name', STATED)
def test_what_a_file_says(tmp_path, name):
    write, expected = STATED[name]
    write(tmp_path / name)
    found = file_um_per_px(tmp_path / name)
    assert found == (expected and pytest.approx(expected, rel=1e-4))


def test_big_tiff_and_pixels_that_pillow_refuses(tmp_path):
    """16 bits in three channels, as cameras write them."""
    file = tmp_path / 'a.tif'
    tags = [(256, 3, 1, 6), (257, 3, 1, 4), (258, 3, 1, 16)]
    tags += [(262, 3, 1, 2), (277, 3, 1, 3), (296, 3, 1, 3)]
    pairs = [(282, struct.pack('<2I', 100_000, 1))]
    pairs += [(283, struct.pack('<2I', 50_000, 1))]
    entries = [struct.pack('<2HQQ', *tag) for tag in tags]
    entries += [struct.pack('<2HQ', n, 5, 1) + value for n, value in pairs]
    file.write_bytes(
        struct.pack('<2s3HQ', b'II', 43, 8, 0, 16)
        + struct.pack('<Q', len(entries))
        + b''.join(sorted(entries))
        + bytes(8)
    )
    assert file_um_per_px(file) == pytest.approx((0.1, 0.2))
    with pytest.raises(OSError):
        Image.open(file).load()


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        *((0.1, 0.1), ('0.1', 0.1), (' 0,25 ', 0.25), (2, 2.0)),
        *(('Same', 'same'), (None, None), (' ', None)),
    ],
)
def test_what_a_person_says(value, expected):
    assert parse_um_per_px(value) == expected


@pytest.mark.parametrize('value', ['0', '-1', '72', 'nan', '0.1 µm', 250])
def test_no_scale_of_a_microscope(value):
    with pytest.raises(InputError, match=f'--um-per-px {value}: expected µm'):
        parse_um_per_px(value)
    with pytest.raises(InputError, match='0.1.$'):
        parse_um_per_px('same', same=False)


def image(width, height):
    """Red tells the column, green the row."""
    y, x = np.indices((height, width))
    return np.stack([x, y, 0 * x], 2).astype(np.uint8)


KNOWN = Scale(100, 100, 0.1)
UNKNOWN = Scale(100, 100)


@pytest.mark.parametrize(
    ('size', 'um_per_px', 'field'),
    [
        ((100, 100), None, ''),
        ((102, 99), None, ''),  # within 2 % each
        ((50, 50), None, 'size'),
        ((104, 104), None, 'size'),
        ((200, 100), None, 'shape'),
        ((100, 104), None, 'shape'),
        ((50, 50), 'same', ''),
        ((250, 125), 'same', 'shape'),
    ],
)
@pytest.mark.parametrize('trained', [KNOWN, UNKNOWN])
def test_without_a_scale_the_image_stays_and_is_flagged(
    trained, size, um_per_px, field
):
    given = image(*size)
    found, differs = fit_field(given, trained, um_per_px)
    assert differs == field and found is given
    assert fit_field(given, None, um_per_px) == (given, '')


@pytest.mark.parametrize(
    ('size', 'um_per_px', 'box', 'field'),
    [
        # 10 µm: 100, 50 and 200 pixels
        ((100, 100), 0.1, (0, 0, 100, 100), ''),
        ((50, 50), 0.2, (0, 0, 50, 50), ''),
        ((200, 200), 0.05, (0, 0, 200, 200), ''),
        ((160, 160), 0.1, (30, 30, 130, 130), 'wide'),
        ((80, 80), 0.2, (15, 15, 65, 65), 'wide'),
        ((200, 100), 0.1, (50, 0, 150, 100), 'wide'),
        ((300, 300), 0.1, (100, 100, 200, 200), 'wide'),
        ((306, 200), 0.1, (103, 50, 203, 150), 'part'),
        ((100, 100), 1.0, (45, 45, 55, 55), 'part'),
        ((80, 400), 0.2, (15, 175, 65, 225), 'part'),
        ((101, 100), 0.1, (0, 0, 100, 100), ''),
        ((100, 50), (0.1, 0.2), (0, 0, 100, 50), ''),
        ((120, 80), (0.1, 0.2), (10, 15, 110, 65), 'wide'),
    ],
)
def test_a_wider_field_is_cropped(size, um_per_px, box, field):
    found, differs = fit_field(image(*size), KNOWN, um_per_px)
    left, top, right, bottom = box
    assert (found == image(*size)[top:bottom, left:right]).all()
    assert differs == field


@pytest.mark.parametrize(
    ('size', 'um_per_px', 'field'),
    [
        ((40, 40), 0.1, 'narrow'),
        ((99, 99), 0.1, ''),
        ((100, 50), 0.1, 'narrow'),
        ((200, 50), 0.1, 'narrow'),
        ((41, 40), 0.2, 'narrow'),
    ],
)
def test_a_narrower_field_repeats_its_edge(size, um_per_px, field):
    given = image(*size)
    found, differs = fit_field(given, KNOWN, um_per_px)
    side = round(10 / um_per_px)
    assert found.shape == (side, side, 3) and differs == field
    # An independent reference: numpy's padding of the middle.
    lefts = [max(0, n - side) // 2 for n in size]
    middle = given[lefts[1] :, lefts[0] :][:side, :side]
    pads = [side - n for n in middle.shape[:2]]
    pads = [(n // 2, n - n // 2) for n in pads]
    assert (found == np.pad(middle, [*pads, (0, 0)], 'edge')).all()


def test_an_absurd_field_takes_no_memory():
    """2 µm against 0.01: a field of 50,000 pixels."""
    found, differs = fit_field(image(250, 250), Scale(250, 250, 2.0), 0.01)
    assert differs == 'narrow' and found.shape == (4000, 4000, 3)
    found, _ = fit_field(image(250, 250), Scale(250, 250, 0.01), 2.0)
    assert found.shape == (1, 1, 3)


def test_the_usual_size(tmp_path):
    sizes = [(60, 40)] * 7 + [(61, 40), (30, 40), (60, 20)]
    files = [tmp_path / f'{i}.png' for i in range(len(sizes))]
    for file, size in zip(files, sizes, strict=True):
        Image.new('L', size).save(file)
    files.append(tmp_path / 'gone.png')
    assert measure_scale(files) == Scale(60, 40, None, 0.8)
    assert measure_scale(files, '0,1', workers=2) == Scale(60, 40, 0.1, 0.8)
    assert measure_scale(files[-1:]) is None


@pytest.mark.parametrize(
    ('dots', 'expected', 'said'),
    [
        ([254_000] * 3, 0.1, ''),
        ([254_000, 254_000, 127_000], None, '3 of 3 .*, 0.1 to 0.2 µm'),
        ([254_000, 254_000, 72], None, '2 of 3 .*, 0.1 to 0.1 µm'),
        ([72] * 3, None, ''),
    ],
)
def test_files_that_all_say_the_same(
    tmp_path, dots, expected, said, monkeypatch
):
    log = []
    monkeypatch.setattr(
        'bm_plugins.datasets.scale.print_log',
        lambda text, **_: log.append(text),
    )
    files = [tmp_path / f'{i}.png' for i in range(len(dots))]
    for file, number in zip(files, dots, strict=True):
        PIXELS.save(file, dpi=(number, number))
    assert measure_scale(files).um_per_px == expected
    assert len(log) == bool(said) and re.search(said, ''.join(log))
    log.clear()
    assert measure_scale(files, 0.1).um_per_px == 0.1
    assert ['0.1 is taken' in line for line in log] == [True] * (
        127_000 in dots
    )
    log.clear()
    assert measure_scale(files, 0.3).um_per_px == 0.3
    assert ['0.3 is taken' in line for line in log] == [True] * (
        254_000 in dots
    )


def test_notes_of_earlier_and_of_later_versions():
    assert noted_scale(None) is noted_scale({}) is None
    assert noted_scale(dict(scale=None)) is None
    noted = dict(width=60, height=40, um_per_px=0.1, share=0.8)
    assert noted_scale(dict(scale=noted | dict(more=1))) == Scale(
        *(60, 40, 0.1, 0.8)
    )
    text = '60 x 40 px (80.0 % of them), 0.1 µm per pixel'
    assert str(Scale(60, 40, 0.1, 0.8)) == text
    assert str(Scale(60, 40)) == '60 x 40 px, µm per pixel not known'
