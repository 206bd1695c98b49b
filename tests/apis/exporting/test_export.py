"""Exports of a bundle, and those that are refused."""

import sys

import pytest

from bm_plugins.apis.exporting.check import check_images
from bm_plugins.apis.exporting.export import check_formats, export
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import tiny_bundle


def exported(*args):
    return [*export(*args)]


@pytest.mark.slow
def test_writes_what_agrees(tmp_path, forked):
    bundle = tiny_bundle()
    images = check_images(bundle, 7)
    formats = ['pt2', 'torchscript']
    done = forked(exported, bundle, formats, tmp_path, images)
    assert [one.name for one in done] == ['pt2', 'torchscript']
    for one in done:
        assert one.file.is_file() and one.difference < 1e-5
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_work_is_said_first(monkeypatch):
    with pytest.raises(InputError, match='tflite: unknown; choose from onnx'):
        check_formats(tiny_bundle(), ['pt2', 'tflite'])
    with pytest.raises(InputError, match='no twin'):
        check_formats(tiny_bundle(), ['timm'])
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(InputError, match='pip install onnxruntime$'):
        check_formats(tiny_bundle(), ['onnx'])
