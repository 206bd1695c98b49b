import onnxruntime
import pytest
import torch

from bm_plugins.apis.bundle.bundle_file import save_bundle
from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.bundle.read_cell import CellReader
from tests.apis.tiny_bundle import tiny_bundle

pytestmark = pytest.mark.slow


def test_exports_and_says_how_well(tmp_path, cells, tool):
    bundle = tiny_bundle()
    save_bundle(bundle, tmp_path / 'a.bundle')
    out = tmp_path / 'out'
    status, said, error = tool(
        'export',
        *(tmp_path / 'a.bundle', '--out', out, '--formats', 'onnx'),
        *('--check', cells, '--images', 6),
    )
    assert status == 0, error
    assert 'on 6 images' in said and 'largest difference' in said
    assert 'onnx: writing and comparing\nonnx: ' in said
    image = sorted(cells.rglob('*.jpg'))[0]
    images = torch.from_numpy(CellReader(bundle)(image))[None]
    session = onnxruntime.InferenceSession(str(out / 'model.onnx'))
    found = session.run(['logits'], dict(images=images.float().numpy()))[0]
    with torch.no_grad():
        _, expected = build_model(bundle)(images)
    torch.testing.assert_close(torch.from_numpy(found), expected)


def test_wrong_input_is_one_line(tmp_path, tool):
    bundle, out = tmp_path / 'a.bundle', tmp_path / 'out'
    save_bundle(tiny_bundle(), bundle)
    (tmp_path / 'file').touch()
    for args, message in (
        ((tmp_path / 'none', '--out', out), 'does not exist'),
        ((bundle, '--out', out, '--formats', 'pkl'), 'pkl: unknown'),
        ((bundle, '--out', out, '--formats', 'timm'), 'no twin'),
        ((bundle, '--out', out, '--check', out), 'no such folder'),
        ((bundle, '--out', tmp_path / 'file'), 'cannot be made'),
    ):
        status, _, error = tool('export', *args)
        assert status == 2 and message in error
        assert len(error.splitlines()) == 1
    assert not out.exists()
