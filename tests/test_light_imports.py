"""What takes seconds to import waits until it is needed."""

import os
import subprocess
import sys

import pytest

import bm_plugins
from bm_plugins import cli
from bm_plugins.apis.bundle.bundle_file import load_bundle
from bm_plugins.apis.bundle.cell_inferencer import CellInferencer
from bm_plugins.apis.prediction.predict import predict
from bm_plugins.apis.publishing.publish import publish
from bm_plugins.datasets import Matek

HEAVY = {'torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain', 'numpy'}
HEAVY |= {'scipy', 'sklearn', 'pandas', 'matplotlib', 'cv2', 'rich'}
RUN = """
import contextlib
from bm_plugins import cli
with contextlib.suppress(SystemExit):
    cli.main()
"""


def python(code, *args):
    """What a new process prints, and what is heavy that it imports."""
    code += f'\nimport sys\nprint(*sorted({HEAVY!r} & {{*sys.modules}}))\n'
    done = subprocess.run(
        [sys.executable, '-c', code, *args],
        env=dict(os.environ, PYTHONPATH=os.getcwd()),
        capture_output=True,
        text=True,
        check=True,
    )
    *said, imported = done.stdout.splitlines()
    return '\n'.join(said) + done.stderr, imported.split()


def test_what_is_heavy_is_seen():
    assert python('import numpy')[1] == ['numpy']


@pytest.mark.parametrize('name', [*cli.tools(), 'doctor'])
def test_help_and_wrong_arguments_import_nothing_heavy(name):
    said, imported = python(RUN, name, '--help')
    assert said.startswith(f'usage: bm {name} ') and not imported
    said, imported = python(RUN, name, '--no-such-flag')
    assert f'bm {name}: error: ' in said or 'bm: error: ' in said
    assert not imported


def test_the_package_imports_nothing_heavy():
    code = 'from bm_plugins import InputError, __version__, cli, launch'
    assert python(code) == ('', [])


def test_names_for_a_notebook():
    assert bm_plugins.CellInferencer is CellInferencer
    assert bm_plugins.load_bundle is load_bundle
    assert bm_plugins.predict is predict
    assert bm_plugins.publish is publish
    assert bm_plugins.Matek is Matek
    assert {*bm_plugins.__all__} <= {*dir(bm_plugins)}
    with pytest.raises(AttributeError, match="no attribute 'predictor'"):
        bm_plugins.predictor  # noqa: B018


def test_a_config_of_the_packages_name_alone_registers_everything(tmp_path):
    file = tmp_path / 'config.py'
    file.write_text("custom_imports = dict(imports=['bm_plugins'])\n")
    said, _ = python(
        'from mmengine.config import Config\n'
        f'Config.fromfile({str(file)!r})\n'
        'from mmpretrain.registry import DATASETS, MODELS, RUNNERS\n'
        "print(DATASETS.get('Matek').__name__, end=' ')\n"
        "print(MODELS.get('SupConLoss').__name__, end=' ')\n"
        "print(RUNNERS.get('MarrowRunner').__name__)\n"
    )
    assert 'Matek SupConLoss MarrowRunner' in said
