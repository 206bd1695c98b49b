import pytest

from bm_plugins.apis.bundle.bundle_file import save_bundle
from tests.apis.tiny_bundle import tiny_bundle


def test_page_and_table(tmp_path, cells, tool):
    save_bundle(tiny_bundle(), tmp_path / 'a.bundle')
    images = sorted(cells.rglob('*.jpg'))[:2]
    out = tmp_path / 'out'
    status, said, error = tool(
        'explain', tmp_path / 'a.bundle', *images, '--out', out
    )
    assert status == 0, error
    assert '2 cells in' in said
    page = (out / 'explain.html').read_text()
    assert all(image.name in page for image in images)
    assert len((out / 'nearest.csv').read_text().splitlines()) == 1 + 2 * 6


@pytest.mark.slow
def test_wrong_input_is_one_line(tmp_path, cells, tool):
    bundle, out = tmp_path / 'a.bundle', tmp_path / 'out'
    save_bundle(tiny_bundle(), bundle)
    image = sorted(cells.rglob('*.jpg'))[0]
    (tmp_path / 'file').touch()
    for args, message in (
        ((tmp_path / 'none', image, '--out', out), 'does not exist'),
        ((bundle, tmp_path / 'no.jpg', '--out', out), 'is no file'),
        ((bundle, bundle, '--out', out), 'cannot read image'),
        ((bundle, image, '--out', out, '--class', 'X'), '--class X: unknown'),
        ((bundle, image, '--out', out, '--nearest', 0), 'at least 1'),
        ((bundle, image, '--out', tmp_path / 'file'), 'cannot be made'),
    ):
        status, _, error = tool('explain', *args)
        assert status == 2 and message in error
        assert len(error.splitlines()) == 1
