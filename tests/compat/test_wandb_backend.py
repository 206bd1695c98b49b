import pytest
import wandb
from mmengine.registry import VISBACKENDS
from mmpretrain.registry import VISBACKENDS as OURS

from bm_plugins.compat.wandb_backend import WandbVisBackend
from bm_plugins.errors import InputError


def test_it_stands_in_for_upstreams():
    assert OURS.get('WandbVisBackend') is WandbVisBackend
    with VISBACKENDS.switch_scope_and_registry('mmpretrain') as registry:
        assert registry.get('WandbVisBackend') is WandbVisBackend


def test_without_a_login(monkeypatch, tmp_path):
    for name in ('WANDB_API_KEY', 'WANDB_MODE'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('NETRC', str(tmp_path / 'netrc'))
    wandb.teardown()  # forget the settings of other tests
    backend = WandbVisBackend(str(tmp_path / 'vis_data'))
    with pytest.raises(InputError, match='WANDB_MODE=offline'):
        backend.add_scalars(dict(loss=1.0), step=1)
