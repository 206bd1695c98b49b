"""Config texts are read, never run."""

import pytest
from mmengine.config import Config

from bm_plugins.utils.config_text import parse_config


@pytest.mark.parametrize('name', ['swav_tiny_knn_bm', 'resnet_tiny_val_bm'])
def test_reads_what_mmengine_writes(name):
    cfg = Config.fromfile(f'configs/{name}.py')
    assert parse_config(cfg.pretty_text) == cfg.to_dict()


def test_nothing_is_executed(tmp_path):
    file = tmp_path / 'ran'
    run = f'open("{file}", "w")'
    text = f"""
import os
a = {run}
b = dict(x=[1, {run}])
c = f'{{{run}}}'
d = dict(**{run})
e = [{run} for _ in (1,)]
class F: {run}
{run}
dict = {run}
g: int = {run}
right = dict(a=-1, b=(1, 2.5), c=[None, True, 'x'], d={{'k': dict()}})
"""
    assert parse_config(text) == dict(
        right=dict(a=-1, b=(1, 2.5), c=[None, True, 'x'], d=dict(k={}))
    )
    assert not file.exists()


@pytest.mark.parametrize(
    'text',
    [
        'a = (',
        'a = \0',
        'a = ' + '-' * 100_000 + '1',
        'a = ' + '[' * 1000,
        'a = ' + 'dict(b=' * 190 + 'c' + ')' * 190,
        'a = 1' + '+1' * 50_000,
        'a = {[]: 1}',
        'a = {**b}',
    ],
)
def test_what_cannot_be_read_is_left_out(text):
    assert parse_config(text) == {}
