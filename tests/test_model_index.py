"""model-index.yml: nothing in it that was not measured, or does not exist."""

import re
from pathlib import Path

import modelindex
import pytest
import yaml
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

import bm_plugins  # noqa: F401

RESULTS = Path('docs/results.md').read_text(encoding='utf-8')
FILES = sorted(Path('configs').glob('*_metafile.yml'))
ENTRIES = [
    model
    for file in FILES
    for model in yaml.safe_load(file.read_text(encoding='utf-8'))['Models']
]


def measured(row):
    """Accuracy and macro F1 of a row in docs/results.md, in percent."""
    if row == 'mean':  # untrained and pretrained, 120 epochs
        cells = re.search(r'^\| mean \| \S+ \| (\S+) \|', RESULTS, re.M)
        return {'Macro F1': round(100 * float(cells[1]), 1)}
    line = re.search(rf'^\| {re.escape(row)} \| (.+)\|$', RESULTS, re.M)[1]
    values = [float(cell.split()[0]) for cell in line.split('|')[:2]]
    names = ('Accuracy', 'Macro F1')
    return {n: round(100 * v, 1) for n, v in zip(names, values, strict=True)}


def test_rows_are_read_as_they_stand():
    assert measured('mean') == {'Macro F1': 41.2}
    row = measured('SwAV + linear')
    assert row == {'Accuracy': 38.2, 'Macro F1': 37.6}


def test_the_index_is_valid_and_whole():
    index = modelindex.load('model-index.yml')
    assert not index.check(silent=True)
    names = [model.name for model in index.models]
    assert sorted(names) == sorted(entry['Name'] for entry in ENTRIES)
    assert len(names) == len(set(names))
    downs = [down for entry in ENTRIES for down in entry.get('Downstream', [])]
    assert downs and set(downs) <= set(names)


@pytest.mark.parametrize('entry', ENTRIES, ids=lambda entry: entry['Name'])
def test_a_model(entry):
    cfg = Config.fromfile(entry['Config'])
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
    size = sum(weight.numel() for weight in model.parameters())
    assert entry['Metadata']['Parameters'] == size
    row = entry['Metadata'].get('Row in docs/results.md')
    if row is None:
        assert entry['Results'] is None
        assert entry['Metadata']['Epochs'] == cfg.train_cfg.max_epochs
        return
    [result] = entry['Results']
    assert result['Metrics'] == measured(row)
    assert '1,486 images' in result['Dataset']  # not the whole collection
    assert '1,486 images' in RESULTS


def test_no_weights_are_promised():
    assert not [entry for entry in ENTRIES if 'Weights' in entry]
