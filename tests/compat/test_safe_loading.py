import os
import pickle
import subprocess
import sys
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

from bm_plugins.compat import safe_loading
from bm_plugins.errors import InputError


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


@pytest.mark.parametrize('where', ['state_dict', 'meta', 'optimizer'])
@pytest.mark.parametrize('function', [os.system, eval, exec])
def test_code_is_refused_and_not_run(tmp_path, where, function, monkeypatch):
    mark = tmp_path / 'executed'
    code = f'touch {mark}'
    if function is not os.system:
        code = f'open({str(mark)!r}, "w")'
    file = tmp_path / 'crafted.pth'
    torch.save({'state_dict': {}, where: [Payload(function, code)]}, file)
    with pytest.raises(InputError, match='crafted.pth'):
        safe_loading.load(str(file))
    assert not mark.exists()
    # The crafted file does run its code where loading is not safe.
    monkeypatch.delenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD')
    torch.load(file, weights_only=False)
    assert mark.exists()


def test_config_text_is_not_executed(tmp_path):
    mark = tmp_path / 'executed'
    text = f'open({str(mark)!r}, "w")\n'
    file = tmp_path / 'crafted.pth'
    torch.save(dict(meta=dict(config=text, epoch=1), state_dict={}), file)
    assert safe_loading.load(str(file))['meta'] == dict(epoch=1)
    Config.fromstring(text, file_format='.py')
    assert mark.exists()


def test_mmengine_loads_local_files_by_it(tmp_path):
    file = tmp_path / 'crafted.pth'
    file.write_bytes(pickle.dumps(Payload(os.system, 'true')))
    with pytest.raises(InputError, match='crafted.pth'):
        CheckpointLoader.load_checkpoint(str(file))


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
