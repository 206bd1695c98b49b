import pytest

from bm_plugins.apis.bundle.bundle_file import load_bundle
from tests.apis.tiny_publish import publish_two


@pytest.fixture
def given(cells, tmp_path, forked):
    """Bundle, labels of a class that it does not know, and their folder."""
    bundle = forked(publish_two, cells, tmp_path / 'two')
    rows = [f'ABE/ABE_{i:05}.jpg,ABE\n' for i in range(1, 9)]
    labels = tmp_path / 'labels.csv'
    labels.write_text('path,label\n' + ''.join(rows))
    return bundle, labels, cells


@pytest.mark.slow
def test_figures_side_by_side_and_a_bundle(tool, given, tmp_path):
    bundle, labels, cells = given
    out = tmp_path / 'new.bundle'
    args = ('refit', bundle, '--labels', labels, '--cells', cells)
    status, said, error = tool(
        *args, '--new-class', 'ABE', 'Eosinophils', '--out', out
    )
    assert status == 0, error
    found = load_bundle(out)
    assert found.full_names[2] == 'Eosinophils'
    now = {(f['score'], f['of']): f for f in found.info['figures']}
    (line,) = (s for s in said.splitlines() if s.startswith('ABE      f1 '))
    assert '0.000 [0.000,' in line and line.endswith(' n 8')
    assert f'{now["f1", "ABE"]["value"]:.3f} [' in line
    assert found.digest[:16] in said and 'caution: Refitted to 8' in said

    before = bundle.read_bytes()
    (tmp_path / 'empty.csv').write_text('path,label\n')
    new = ('--new-class', 'ABE', 'E')
    for wrong, message in (
        ((bundle, '--labels', labels, *new, '--out', bundle), 'Name another'),
        ((bundle, '--labels', labels, *new, '--out', labels), 'Name another'),
        ((bundle, '--labels', labels, '--out', out), 'unknown class'),
        (
            (bundle, '--labels', labels, '--out', out, '--workers', -1),
            '--workers -1: expected 0 or more',
        ),
        ((bundle, '--labels', labels, *new, *new, '--out', out), 'twice'),
        ((bundle, '--labels', labels, *new, '--out', out), '--cells DIR'),
        ((labels, '--labels', labels, '--out', out), 'is no bundle'),
        (
            (bundle, '--labels', tmp_path / 'empty.csv', '--out', out),
            'no row',
        ),
        (
            (bundle, '--labels', labels, *new, '--out', tmp_path / 'a/b'),
            'does not exist',
        ),
    ):
        status, _, error = tool('refit', *wrong)
        assert status == 2 and message in error, error
        assert len(error.splitlines()) == 1
    assert bundle.read_bytes() == before
    assert load_bundle(out).digest == found.digest
