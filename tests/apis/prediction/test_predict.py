"""The function that the command calls, alone and in two processes."""

import numpy as np
import pytest

from bm_plugins.apis.bundle.bundle_file import save_bundle
from bm_plugins.apis.bundle.cell_inferencer import CellInferencer
from bm_plugins.apis.prediction.predict import predict
from bm_plugins.errors import InputError
from tests.apis.cell_folder import OUTPUTS, make_cells, rows
from tests.apis.tiny_bundle import CODES, tiny_bundle
from tests.full_disk import full_disk

FAST = dict(workers=0, device='cpu', chunk=5)


@pytest.fixture
def bundle(tmp_path):
    file = tmp_path / 'cells.bundle'
    save_bundle(tiny_bundle(), file)
    return file


@pytest.fixture
def cells(tmp_path):
    return make_cells(tmp_path / 'cells')


def test_says_what_the_inferencer_says(bundle, cells, tmp_path):
    outcome = predict(bundle, cells, tmp_path / 'out', **FAST)
    assert (outcome.predicted, outcome.skipped) == (12, 0)
    assert outcome.found_parts == 0 and outcome.differential.total == 12
    found = rows(tmp_path / 'out/predictions.csv')
    for row, said in zip(
        found, CellInferencer(bundle, 'cpu')(cells), strict=True
    ):
        chances = [float(row[f'p_{code}']) for code in CODES]
        np.testing.assert_allclose(chances, said['pred_scores'], atol=2e-6)
        assert row['code'] == said['pred_class']
        assert row['flag'] == said['flag']
        assert row['set'] == ' '.join(said['set'])
    again = predict(bundle, cells, tmp_path / 'out', **FAST)
    assert again.differential is None and again.predicted == 12


def _in_two(bundle, cells, out):
    try:
        predict(bundle, cells, out, **FAST)
        predict(bundle, cells, out, **FAST, error_rate=0.3)
    except InputError as error:
        assert 'another --error-rate' in str(error)
    else:
        raise AssertionError('both processes are told')


def test_two_processes(bundle, cells, tmp_path, run_ranks):
    one, two = tmp_path / 'one', tmp_path / 'two'
    predict(bundle, cells, one, **FAST)
    run_ranks(_in_two, 2, bundle, cells, two)
    assert sorted(f.name for f in two.iterdir()) == OUTPUTS
    for name in ('predictions.csv', 'differential.csv'):
        assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('report_cells', 0),
        ('batch_size', -1),
        ('chunk', 0),
        ('workers', -1),
        ('error_rate', 0),
    ],
)
def test_numbers_are_checked_before_anything_is_written(
    bundle, cells, tmp_path, option, value
):
    name = option.replace('_', '-')
    with pytest.raises(InputError, match=f'--{name} {value}: expected'):
        predict(bundle, cells, tmp_path / 'out', **FAST | {option: value})
    assert not (tmp_path / 'out').exists()


def test_full_disk_and_room_again(bundle, cells, tmp_path):
    args = (bundle, cells, tmp_path / 'out')
    options = FAST | dict(chunk=1)
    for room, file in ((900, 'predictions.csv'), (15_000, 'report.html')):
        with full_disk(room), pytest.raises(InputError) as error:
            predict(*args, **options)
        assert f'{file}: File too large' in str(error.value)
        if file == 'predictions.csv':
            assert len(list(args[2].glob('parts/*.npz'))) == 12
    assert predict(*args, **options).found_parts == 0  # merged by now
    assert sorted(f.name for f in args[2].iterdir()) == OUTPUTS
    predict(bundle, cells, tmp_path / 'whole', **FAST)
    whole = (tmp_path / 'whole/predictions.csv').read_bytes()
    assert (args[2] / 'predictions.csv').read_bytes() == whole
