"""Files of other formats, read by other programs' code."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.exporting.exported_model import ExportModel, describe
from bm_plugins.apis.exporting.formats import FORMATS
from tests.apis.tiny_bundle import CODES, tiny_bundle

HERE = str(Path(__file__).resolve().parents[3]).encode()


@pytest.fixture(scope='module')
def model():
    bundle = tiny_bundle()
    return ExportModel(build_model(bundle), bundle.temperature)


@pytest.fixture(scope='module')
def written(model, forked):
    example = torch.full((2, 3, 48, 48), 128.0)
    notes = describe(tiny_bundle())
    return {
        k: forked(v.write, model, example, notes) for k, v in FORMATS.items()
    }


def outputs(name, file, batches):
    run = FORMATS[name].load(file)
    with torch.no_grad():
        return [[part.numpy() for part in run(images)] for images in batches]


@pytest.mark.slow
@pytest.mark.parametrize('name', FORMATS)
def test_same_outputs_of_any_batch(model, written, forked, name, tmp_path):
    file = tmp_path / 'file'
    file.write_bytes(written[name])
    batches = [
        torch.randint(256, (batch, 3, 48, 48)).float() for batch in (1, 2, 5)
    ]
    with torch.no_grad():
        expected = [model(images) for images in batches]
    for some, others in zip(
        forked(outputs, name, file, batches), expected, strict=True
    ):
        for one, other in zip(some, others, strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)


def test_onnx_says_what_it_is(written):
    content = written['onnx']
    proto = onnx.load_from_string(content)
    onnx.checker.check_model(proto, full_check=True)
    assert [o.version for o in proto.opset_import if not o.domain] == [18]
    session = onnxruntime.InferenceSession(content)
    (taken,) = session.get_inputs()
    assert taken.shape == ['batch', 3, 48, 48]
    assert taken.type == 'tensor(float)'
    given = {o.name: o.shape for o in session.get_outputs()}
    assert given == dict(
        probabilities=['batch', 3], logits=['batch', 3], features=['batch', 64]
    )
    notes = session.get_modelmeta().custom_metadata_map
    assert json.loads(notes['classes']) == list(CODES)
    assert notes['temperature'] == '1.5'
    assert HERE not in content


def note_of_pt2(content):
    extra = dict(temperature='')
    torch.export.load(io.BytesIO(content), extra_files=extra)
    return extra['temperature']


@pytest.mark.slow
def test_the_others_carry_their_notes(written, forked):
    torchscript = written['torchscript']
    extra = dict(classes='')
    torch.jit.load(io.BytesIO(torchscript), _extra_files=extra)
    assert json.loads(extra['classes']) == list(CODES)
    pt2 = written['pt2']
    assert forked(note_of_pt2, pt2) == '1.5'
    with zipfile.ZipFile(io.BytesIO(pt2)) as archive:
        assert not [n for n in archive.namelist() if HERE in archive.read(n)]
