"""From a published file to features."""

import pytest
import torch

from bm_plugins.compat.safe_loading import load
from bm_plugins.engine.checkpoints.checkpoint_keys import backbone_weights
from bm_plugins.models import TimmEncoder
from tests.engine.dinov2_reference import forward, published


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    """DinoBloom-S with random weights."""
    file = tmp_path_factory.mktemp('dinobloom') / 'DinoBloom-S.pth'
    saved = published(384, 12, 257, 1536)
    torch.save(saved, file)
    return saved, file


@pytest.mark.slow
def test_features_are_those_of_the_formulas(tool, small, tmp_path):
    saved, file = small
    out = tmp_path / 'small.safetensors'
    status, said, error = tool('convert_dinobloom', file, out)
    assert status == 0, error
    assert 'BM_TIMM=vit_small_patch14_dinov2 BM_TIMM_SIZE=224' in said
    encoder = TimmEncoder('vit_small_patch14_dinov2', 224).eval()
    weights = backbone_weights(load(str(out)), encoder, 'file')
    encoder.load_state_dict(weights)
    image = torch.randn(3, 224, 224)
    with torch.no_grad():
        (found,) = encoder(image[None])
    expected = forward(saved['teacher'], image, 6)
    torch.testing.assert_close(
        found[0].double(), expected, rtol=1e-3, atol=1e-3
    )
    assert tool('convert_dinobloom', file, out)[0] == 2  # already there


def test_bad_input_is_one_line(tool, small, tmp_path):
    saved, _ = small

    def refused(file, out='out.safetensors'):
        status, _, error = tool('convert_dinobloom', file, tmp_path / out)
        assert status == 2 and error.startswith('error: '), error
        assert len(error.splitlines()) == 1
        assert [f.name for f in tmp_path.iterdir()] == before
        return error

    other = tmp_path / 'other.pth'
    torch.save(dict(state_dict={'conv1.weight': torch.zeros(1)}), other)
    cut = tmp_path / 'cut.pth'
    teacher = {k: v for k, v in saved['teacher'].items() if '.11.' not in k}
    torch.save(dict(teacher=teacher), cut)
    before = [file.name for file in tmp_path.iterdir()]
    assert 'other.pth is no file of DinoBloom' in refused(other)
    assert 'lacks timm_model.blocks.11.norm1.weight' in refused(cut)
    assert 'does not exist' in refused(tmp_path / 'no.pth')
    assert 'ends in .safetensors' in refused(cut, 'out.pth')
