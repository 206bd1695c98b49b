"""What a config sets too late is refused, with the key to set."""

from pathlib import Path

import pytest
from mmengine.config import Config

import bm_plugins  # noqa: F401
from bm_plugins.engine.config_check import check_config
from bm_plugins.errors import InputError


def child(tmp_path, base, *lines):
    file = tmp_path / 'own.py'
    base = Path(f'configs/{base}.py').resolve()
    file.write_text('\n'.join([f"_base_ = '{base}'", *lines]))
    return Config.fromfile(file)


def of_dataset(text):
    return f'train_dataloader = dict(dataset=dict({text}))'


PIPELINE = "train_pipeline = [dict(type='LoadCellImage')]"
OTHER_ROOT = "data_root = '/cells'"


@pytest.mark.parametrize(
    ('base', 'line', 'said'),
    [
        (
            *('swav_tiny_bm', PIPELINE),
            'train_pipeline is a variable, which swav_tiny_bm.py has used '
            'already, .* Set train_dataloader.dataset.pipeline.$',
        ),
        (  # set and used two files above
            *('resnext50_val_bm', OTHER_ROOT),
            'Set train_dataloader.dataset.data_root and '
            'test_dataloader.dataset.data_root and val_dataloader.',
        ),
        (
            *('linear_tiny_bm', "test_pipeline = [dict(type='PackInputs')]"),
            'Set test_dataloader.dataset.pipeline and '
            'test_cfg.train_dataloader.dataset.pipeline.$',
        ),
        ('swav_knn_bm', 'knn_pipeline = []', 'Set val_dataloader.dataset.pi'),
        ('swav_bm', 'vis_backends = []', 'Set visualizer.vis_backends.$'),
        ('swav_bm', "fold = '2'", 'Set train_dataloader.dataset.fold.$'),
    ],
)
def test_a_variable_that_was_used_before(tmp_path, base, line, said):
    with pytest.raises(InputError, match=f'own.py: .*{said}'):
        check_config(child(tmp_path, base, line))


@pytest.mark.parametrize(
    'lines',
    [
        [PIPELINE, of_dataset('pipeline=train_pipeline')],
        # the parent's stays, which nothing uses
        [of_dataset("pipeline=[dict(type='PackViews')]")],
        [OTHER_ROOT, of_dataset("data_root='/cells'")],  # in both places
        ["my_pipeline = [dict(type='LoadCellImage')]"],  # of one's own
    ],
)
def test_what_reaches_the_data_loader_is_taken(tmp_path, lines):
    check_config(child(tmp_path, 'swav_tiny_bm', *lines))


def test_a_config_that_uses_upstreams(tmp_path):
    file = tmp_path / 'own.py'
    text = "_base_ = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'\n"
    file.write_text(text + PIPELINE)
    with pytest.raises(InputError, match='resnet18_8xb32_in1k.py has used'):
        check_config(Config.fromfile(file))
