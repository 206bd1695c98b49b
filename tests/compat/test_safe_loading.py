import os
import pickle
import runpy
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.infer import BaseInferencer
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner.checkpoint import load_from_local

from bm_plugins.apis.bundle.bundle_file import save_bundle
from bm_plugins.compat import safe_loading
from bm_plugins.errors import InputError
from tests.apis.tiny_bundle import tiny_bundle
from tests.engine.small_swav import small_model, small_swav


class Payload:
    """Runs a command when a plain unpickler meets it."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_training_state_of_mmengine_loads(tmp_path):
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    state = dict(
        meta=dict(epoch=3, seed=0, dataset_meta=dict(classes=('A', 'B'))),
        state_dict=dict(w=torch.arange(3.0)),
        message_hub=dict(
            log_scalars=dict(loss=history),
            runtime_info=dict(loss=np.float64(0.5), n=np.int64(3)),
        ),
    )
    file = tmp_path / 'epoch_3.pth'
    torch.save(state, file)
    loaded = safe_loading.load(str(file))
    again = loaded['message_hub']['log_scalars']['loss']
    np.testing.assert_array_equal(again.data[0], [1.0, 2.0])
    assert again.mean() == 1.5
    assert loaded['meta'] == state['meta']
    assert loaded['message_hub']['runtime_info']['n'] == 3


def shell(mark):
    return Payload(os.system, f'touch {mark}')


def python(mark):
    return f'open({str(mark)!r}, "w")'


def script(mark):
    file = mark.with_suffix('.py')
    file.write_text(python(mark))
    return str(file)


class Key(str):
    """Text whose unpickling calls something."""

    def __reduce__(self):
        return os.system, (str(self),)


# What runs on a plain load, by where it sits and what it calls.
EXECUTED = dict(
    system=lambda mark: shell(mark),
    system_in_state_dict=lambda mark: dict(state_dict=dict(w=shell(mark))),
    system_in_meta=lambda mark: dict(state_dict={}, meta=dict(a=shell(mark))),
    system_in_optimizer_state=lambda mark: dict(
        state_dict={},
        optimizer=dict(state={0: dict(momentum=shell(mark))}, param_groups=[]),
    ),
    system_in_scheduler=lambda mark: dict(
        state_dict={}, param_schedulers=[dict(last_step=shell(mark))]
    ),
    system_in_averages=lambda mark: dict(
        state_dict={}, ema_state_dict=dict(steps=shell(mark))
    ),
    system_in_log=lambda mark: dict(
        state_dict={}, message_hub=dict(log_scalars=dict(loss=shell(mark)))
    ),
    system_deep_down=lambda mark: dict(a=[dict(b=({1: [shell(mark)]},))]),
    system_as_key=lambda mark: {Key(f'touch {mark}'): 1},
    system_in_ordered_dict=lambda mark: OrderedDict(state_dict=shell(mark)),
    system_in_object_array=lambda mark: np.array([shell(mark)], dtype=object),
    system_in_history=lambda mark: [
        Payload(HistoryBuffer, Payload(os.system, f'touch {mark}'))
    ],
    popen=lambda mark: Payload(subprocess.Popen, ['touch', str(mark)]),
    eval=lambda mark: Payload(eval, python(mark)),
    exec=lambda mark: Payload(exec, python(mark)),
    open=lambda mark: Payload(open, str(mark), 'w'),
    partial=lambda mark: Payload(partial(os.system, f'touch {mark}')),
    script=lambda mark: Payload(runpy.run_path, script(mark)),
    nested_pickle=lambda mark: Payload(
        pickle.loads, pickle.dumps(Payload(os.system, f'touch {mark}'))
    ),
    config=lambda mark: Payload(Config.fromstring, python(mark), '.py'),
)
# What mmengine runs after the load.
CONFIG_TEXTS = dict(
    resumed=lambda text: dict(meta=dict(config=text)),
    inferred=lambda text: dict(meta=dict(cfg=text)),
    inferred_from_the_hub=lambda text: dict(
        meta={}, message_hub=dict(runtime_info=dict(cfg=text))
    ),
)


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize('content', EXECUTED)
def test_code_is_refused_and_not_run(tmp_path, content, legacy, monkeypatch):
    mark = tmp_path / 'executed'
    file = tmp_path / 'crafted.pth'
    torch.save(
        EXECUTED[content](mark),
        file,
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(InputError, match='crafted.pth cannot be loaded'):
        safe_loading.load(str(file))
    assert not mark.exists()
    # The crafted file does run its code where loading is not safe.
    monkeypatch.delenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD')
    with suppress(Exception):
        torch.load(file, weights_only=False)
    end = time.monotonic() + 5
    while not mark.exists():  # Popen does not wait
        assert time.monotonic() < end
        time.sleep(0.01)


def test_config_text_is_data(tmp_path):
    mark, file = tmp_path / 'executed', str(tmp_path / 'a.pth')
    text = python(mark)
    torch.save(dict(meta=dict(cfg=text), state_dict={}), file)
    assert safe_loading.config_text(file) == text and not mark.exists()
    for content in (dict(meta=dict(cfg=3)), dict(meta=[1]), {}):
        torch.save(content, file)
        assert safe_loading.config_text(file) == ''
    assert safe_loading.config_text('a.safetensors') == ''


@pytest.mark.parametrize('place', CONFIG_TEXTS)
def test_config_text_is_not_executed(tmp_path, place, monkeypatch):
    mark = tmp_path / 'executed'
    file = tmp_path / 'crafted.pth'
    text = python(mark)
    torch.save(dict(CONFIG_TEXTS[place](text), state_dict={}), file)
    safe = safe_loading.load(str(file))
    assert text not in str(safe)

    class Inferencer(BaseInferencer):
        def _init_pipeline(self, cfg):
            """Needed by the base class."""

        preprocess = postprocess = visualize = _init_pipeline

    def infer():
        return Inferencer._init_model(
            SimpleNamespace(), ConfigDict(), str(file)
        )

    with pytest.raises(ValueError, match='Cannot find the config'):
        infer()
    assert not mark.exists()
    # It is executed where the loader is mmengine's own.
    own = CheckpointLoader._schemes['']
    monkeypatch.setitem(CheckpointLoader._schemes, '', load_from_local)
    if place == 'resumed':
        Config.fromstring(text, file_format='.py')
    else:
        with suppress(AttributeError):
            infer()
    assert own is safe_loading.load and mark.exists()


@pytest.mark.parametrize('framework', ['mmpretrain', 'mmselfsup'])
def test_checkpoints_of_upstream_load(cells, tmp_path, framework):
    """Written by mmengine's Runner, and read with all that is in them."""
    model = small_model()
    model['head']['loss'] = dict(
        type='SwAVLoss', feat_dim=8, num_prototypes=6, num_crops=[2]
    )
    if framework == 'mmselfsup':
        import mmselfsup.models  # noqa: F401

        model['type'] = 'mmselfsup.SwAV'
        for part in ('data_preprocessor', 'backbone'):
            model[part]['type'] = 'mmpretrain.' + model[part]['type']
        for part in (model['neck'], model['head'], model['head']['loss']):
            part['type'] = 'mmselfsup.' + part['type']
    runner = small_swav(
        cells,
        tmp_path,
        runner=Runner,
        model=model,
        custom_hooks=[],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook')),
        train_cfg=dict(by_epoch=True, max_epochs=1),
    )
    runner.train()
    state = safe_loading.load(str(tmp_path / 'epoch_1.pth'))
    assert state['meta']['epoch'] == 1 and state['optimizer']['state']
    assert state['message_hub']['log_scalars']['train/loss'].mean() > 0
    for key, value in runner.model.state_dict().items():
        torch.testing.assert_close(state['state_dict'][key], value)


def test_mmengine_loads_local_files_by_it(tmp_path):
    file = tmp_path / 'crafted.pth'
    file.write_bytes(pickle.dumps(Payload(os.system, 'true')))
    with pytest.raises(InputError, match='crafted.pth'):
        CheckpointLoader.load_checkpoint(str(file))


@pytest.mark.slow
def test_environment_cannot_switch_it_off(tmp_path):
    mark = tmp_path / 'executed'
    file = tmp_path / 'crafted.pth'
    torch.save(Payload(os.system, f'touch {mark}'), file)
    code = f'import bm_plugins.compat, torch\ntorch.load({str(file)!r})'
    result = subprocess.run(
        [sys.executable, '-c', code],
        env=dict(os.environ, TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD='1'),
        capture_output=True,
    )
    assert result.returncode != 0 and not mark.exists()


def test_missing_file_and_other_content_are_named(tmp_path):
    with pytest.raises(InputError, match='nowhere.pth does not exist'):
        safe_loading.load(str(tmp_path / 'nowhere.pth'))
    file = tmp_path / 'list.pth'
    torch.save([1, 2], file)
    with pytest.raises(InputError, match='list.pth holds a list'):
        safe_loading.load(str(file))


@pytest.mark.parametrize('core', [b'numpy.core', b'numpy._core'])
def test_checkpoints_of_both_numpys_load(tmp_path, core):
    mine, file = tmp_path / 'mine.pth', tmp_path / 'theirs.pth'
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    torch.save(dict(history=history, n=np.float64(0.5)), mine)
    with zipfile.ZipFile(mine) as old, zipfile.ZipFile(file, 'w') as new:
        for name in old.namelist():
            content = old.read(name)
            for own in (b'numpy._core', b'numpy.core'):
                content = content.replace(own + b'.multiarray', b'MULTIARRAY')
            new.writestr(
                name, content.replace(b'MULTIARRAY', core + b'.multiarray')
            )
    loaded = safe_loading.load(str(file))
    assert loaded['history'].mean() == 1.5 and loaded['n'] == 0.5


def test_checkpoint_of_a_url_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    mark = tmp_path / 'executed'
    torch.save(Payload(os.system, f'touch {mark}'), tmp_path / 'crafted.pth')
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f'http://127.0.0.1:{server.server_port}/crafted.pth'
    with pytest.raises(pickle.UnpicklingError):
        CheckpointLoader.load_checkpoint(url)
    server.shutdown()
    assert not mark.exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'is empty'),
        (b'\x89HDF\r\n\x1a\n' + bytes(99), 'an HDF5 file'),
        (b'version https://git-lfs.github.com/spec/v1\n', 'is the pointer of'),
        (b'\n<!doctype html><html>', 'a web page'),
        (b'work_dirs/a/epoch_3.pth', 'a text file.*holds the path of one'),
        (b"_base_ = 'swav_bm.py'\n", 'a text file'),
        (b'\xff\xd8\xff\xe0\x00\x10JFIF', 'a picture'),
        (b'\x20' + bytes(7) + b'{"__metadata__":{}}', 'holds safetensors'),
        (b'\x08\x07\x12\x07pytorch' + bytes(99), 'cannot be loaded'),
    ],
    ids=[
        *('empty', 'hdf5', 'lfs', 'page', 'path', 'config', 'picture'),
        *('safetensors', 'onnx'),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path, content, message):
    file = tmp_path / 'given.pth'
    file.write_bytes(content)
    with pytest.raises(InputError, match=f'given.pth.*{message}') as error:
        safe_loading.load(str(file))
    assert 'weights_only' not in str(error.value)


@pytest.mark.parametrize('name', ['cells.bundle', 'cells.pth'])
def test_a_bundle_is_called_one(tmp_path, name):
    save_bundle(tiny_bundle(), tmp_path / name)
    with pytest.raises(InputError, match='is a bundle, .* published from'):
        safe_loading.load(str(tmp_path / name))


def test_torchs_advice_to_load_all_the_same_is_left_out(tmp_path):
    file = tmp_path / 'odd.pth'
    torch.save(dict(path=tmp_path), file)
    with pytest.raises(InputError, match='it holds pathlib') as error:
        safe_loading.load(str(file))
    assert 'weights_only' not in str(error.value)
