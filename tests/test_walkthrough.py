"""docs/walkthrough.ipynb runs from its first cell to its last."""

import csv
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / 'docs/walkthrough.ipynb'


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch, python):
    monkeypatch.setattr('sys.executable', str(python))  # the kernel's
    # As a kernel sets it before matplotlib is imported.
    monkeypatch.setenv(
        'MPLBACKEND', 'module://matplotlib_inline.backend_inline'
    )
    monkeypatch.setenv('WALKTHROUGH', str(tmp_path / 'out'))
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=120, resources=dict(metadata=dict(path=ROOT))
    )
    client.execute()
    out = tmp_path / 'out'
    with open(out / 'linear/per_class.csv') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 21
    images = sum(int(row['support']) for row in rows)
    texts = [
        output.get('text', '')
        for cell in notebook.cells
        for output in cell.get('outputs', [])
    ]
    assert f'{images} test images\n' in ''.join(texts)
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get('outputs', [])
        if 'image/png' in output.get('data', {})
    ]
    assert len(pictures) == 2


def test_it_is_stored_without_outputs_and_paths():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get('outputs') and not cell.get('execution_count')
        assert not re.search(r"""(^|[\s'"=:])/\w""", cell.source)
