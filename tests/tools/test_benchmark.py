import argparse
import json
import runpy

import pytest


@pytest.mark.slow
def test_a_part_and_its_file(tool, cells, tmp_path):
    file = tmp_path / 'bench.json'
    status, out, errors = tool(
        'benchmark',
        'sampler',
        '--data',
        cells,
        '--entries',
        300,
        '--runs',
        1,
        '--json',
        file,
    )
    assert status == 0, errors
    result = json.loads(file.read_text())
    assert result['sampler']['ratio'] > 0 and result['data'] == cells.name
    assert result['machine']['versions']['torch']
    assert '== sampler' in out and 'ratio' in out


def test_input_is_refused_in_one_line(tool, cells, tmp_path):
    for args, message in (
        (('input', '--data', tmp_path / 'none'), 'none is no folder'),
        (('input', '--data', cells, '--runs', 0), '--runs 0: expected 1'),
        (('learning', '--epochs', 0), '--epochs 0: expected 1'),
    ):
        status, _, errors = tool('benchmark', *args)
        assert status == 2 and message in errors
        assert 'Traceback' not in errors


def test_no_compile(monkeypatch):
    variants = runpy.run_path('tools/benchmark.py')['variants']
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    assert list(variants(argparse.Namespace(no_compile=True))) == [
        'ours',
        'ours, bf16 channels_last',
        'ours, bf16 channels_last, views on the GPU',
    ]
    assert variants(argparse.Namespace(no_compile=False)) is None
