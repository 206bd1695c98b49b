"""What becomes of predictions at other scales: the table in small.

Of docs/laboratory.md, on drawn cells and a linear classifier of random
features.
"""

from dataclasses import replace

import pytest
import torch

from bm_plugins.apis.bundle.bundle_file import save_bundle
from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.datasets.synthetic.collection import draw_cell
from tests.apis.scale_changes import CHANGES, called, changed
from tests.apis.tiny_bundle import CODES, tiny_bundle

SCALE = dict(width=250, height=250, um_per_px=0.1, share=1.0)
EACH = 20


def drawn(seed):
    """Cells of each class: names and images."""
    return [
        (f'{code}_{number:02}.png', draw_cell(seed, code, number))
        for code in CODES
        for number in range(1, EACH + 1)
    ]


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """Least squares on random features, by which drawn cells are told."""
    made = tiny_bundle(info=dict(scale=SCALE))
    reader = CellReader(made)
    cells = [torch.from_numpy(reader.fit(x)[0]) for _, x in drawn(1)]
    with torch.inference_mode():
        features = build_model(made)(torch.stack(cells))[0].double()
    known = torch.cat([features, torch.ones(len(features), 1)], 1)
    wanted = torch.eye(3).repeat_interleave(EACH, 0).double() * 8 - 4
    ridge = 1e-3 * torch.eye(known.size(1))
    fitted = torch.linalg.solve(known.T @ known + ridge, known.T @ wanted)
    weights = dict(made.weights)
    weights['fc.weight'] = fitted[:-1].T.float().numpy()
    weights['fc.bias'] = fitted[-1].float().numpy()
    file = tmp_path_factory.mktemp('bundle') / 'cells.bundle'
    save_bundle(replace(made, weights=weights), file)
    return file


@pytest.fixture(scope='module')
def agreement(bundle, tmp_path_factory):
    """Share called as the originals, fields and warnings of a change."""
    folder, images = tmp_path_factory.mktemp('cells'), drawn(2)
    done = {}

    def of(name, given=True):
        if (name, given) not in done:
            place = folder / f'{len(done)}'
            changed(images, name, place)
            scale = CHANGES[name][1] * 0.1 if given else None
            done[name, given] = called(
                bundle, place, folder / f'{len(done)} out', scale
            )
        codes, fields, warnings = done[name, given]
        first = codes if name == 'original' else of('original')[3]
        return (codes == first).mean(), {*fields}, ' '.join(warnings), codes

    return of


def test_the_model_tells_the_classes(agreement):
    codes = agreement('original')[3]
    truth = [code for code in sorted(CODES) for _ in range(EACH)]
    assert (codes == truth).mean() > 0.6


@pytest.mark.slow
@pytest.mark.parametrize('name', ['0.5 x the pixels', '2 x the pixels'])
def test_other_pixels_of_known_scale_change_less_than_jpeg(agreement, name):
    same, fields, warnings, _ = agreement(name)
    assert same >= agreement('JPEG of quality 60')[0]
    assert fields == {''} and 'training images' not in warnings


@pytest.mark.slow
@pytest.mark.parametrize(
    'name', ['field of 160 %', 'field of 160 %, 0.5 x the pixels']
)
def test_a_wider_field_of_known_scale_is_cropped(agreement, name):
    same, fields, warnings, _ = agreement(name)
    assert same >= agreement('JPEG of quality 60')[0] - 0.05
    assert same > agreement(name, given=False)[0]
    assert fields == {'wide'} and 'training images' not in warnings


@pytest.mark.parametrize(
    ('name', 'field'),
    [
        ('field of 160 %', 'size'),
        ('cropped to 40 %', 'size'),
        ('cropped to 80 %', 'size'),
        ('0.5 x the pixels', 'size'),
        ('the middle half of its rows', 'shape'),
    ],
)
def test_another_field_of_unknown_scale_is_warned_of(agreement, name, field):
    _, fields, warnings, _ = agreement(name, given=False)
    assert fields == {field}
    assert f'60 of 60 cells (100.0 %) are of another {field}' in warnings


def test_a_narrower_field_is_padded_and_warned_of(agreement):
    same, fields, warnings, _ = agreement('cropped to 64 %')
    assert fields == {'narrow'} and '60 of 60 cells (100.0 %) show' in warnings
    assert same > agreement('cropped to 64 %', given=False)[0]
