"""Load checkpoints without running what they contain.

Why: a checkpoint is a pickle, and torch before 2.6 executes it on load. From
2.6 on ``torch.load`` refuses unknown globals, among them those that mmengine
writes into every checkpoint (its log history, numpy arrays), so that resuming
fails. The few globals below are allowed, everything else is refused on every
supported torch, whatever the environment says.
"""

import _codecs
import os
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner import CheckpointLoader
from safetensors.torch import load_file

from bm_plugins.errors import InputError

# torch.hub, by which mmengine loads URLs, asks for weights_only=False.
os.environ.pop('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', None)
os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'


_METHODS: dict[type, tuple[str, ...]] = {
    HistoryBuffer: ('min', 'max', 'mean', 'current'),
    OneCycleParamScheduler: ('_annealing_cos', '_annealing_linear'),
}


def _method(owner: type, name: str) -> Callable:
    """Stand in for ``getattr``, by which states name a class's functions."""
    if name not in _METHODS.get(owner, ()):
        raise pickle.UnpicklingError(f'getattr of {name} is not allowed')
    return getattr(owner, name)


def _named(function: Callable, module: str, name: str) -> Callable:
    """``function`` under the name by which torch looks up a global."""

    def call(*args: Any) -> Any:
        return function(*args)

    call.__module__ = module
    call.__name__ = call.__qualname__ = name
    return call


# numpy 1 and 2 have different names for the functions that make an array and
# a scalar; a checkpoint of either loads in either.
_NUMPY = [
    _named(function, f'numpy.{core}.multiarray', function.__name__)
    for core in ('core', '_core')
    for function in (
        np.zeros(1).__reduce__()[0],
        np.float64(0).__reduce__()[0],
    )
]

torch.serialization.add_safe_globals(
    [
        *_METHODS,
        _named(_method, 'builtins', 'getattr'),
        _codecs.encode,  # bytes at pickle protocol 2; torch 2.5 allows it
        np.ndarray,
        np.dtype,
        *_NUMPY,
        *{type(np.dtype(kind)) for kind in '?bBhHiIlLqQefd'},
    ]
)


def load(filename: str, map_location: Any = None) -> dict:
    """Load a local checkpoint; nothing in it is executed.

    Args:
        filename (str): Path of a file written by ``torch.save``, or of a
            ``.safetensors`` file.
        map_location (str or callable, optional): As for ``torch.load``; the
            weights of a ``.safetensors`` file stay on the CPU.

    Returns:
        dict: The checkpoint, without the config texts that mmengine would
        execute.

    Raises:
        InputError: The file is missing, is no checkpoint, or holds objects
            beyond tensors, numbers, text, containers and log history.
    """
    if kind := _other_kind(str(filename)):
        raise InputError(f'checkpoint {filename} {kind}')
    try:
        if str(filename).endswith('.safetensors'):
            return load_file(filename)
        checkpoint = torch.load(
            filename, map_location=map_location, weights_only=True
        )
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(
            f'checkpoint {filename} does not exist. Give the path of a .pth '
            'file, as named in the last_checkpoint file of its work folder.'
        ) from error
    except Exception as error:
        raise InputError(
            f'checkpoint {filename} cannot be loaded: it is damaged, or '
            'holds objects other than weights and training state, which are '
            'not executed. Use a .pth file written by this project, '
            f'mmpretrain or mmselfsup. ({_reason(error)})'
        ) from error
    if not isinstance(checkpoint, dict):
        raise InputError(
            f'checkpoint {filename} holds a {type(checkpoint).__name__}, '
            'expected a dict of weights.'
        )
    drop_config(checkpoint)
    return checkpoint


_LINES = str.maketrans('', '', '\r\n\t')
# What a file begins with that is often given in a checkpoint's place.
_KINDS = {
    b'\x89HDF': 'is an HDF5 file, of features mostly',
    b'version https://git-lfs': 'is the pointer of a file in Git LFS: fetch '
    'the file itself by `git lfs pull`',
    b'<!DOCTYPE': 'is a web page, not the file that it offers',
    b'<html': 'is a web page, not the file that it offers',
    b'\xff\xd8\xff': 'is a picture',
    b'\x89PNG': 'is a picture',
    b'\x93NUMPY': 'is an array of numpy',
}


def _other_kind(filename: str) -> str:
    """What a file is that is no checkpoint, and what to give; or nothing."""
    give = 'Give the .pth file of a training.'
    try:
        with open(filename, 'rb') as stream:
            head = stream.read(1 << 16)
    except OSError:
        return ''  # the loading says it
    if not head:
        return f'is empty. {give}'
    if head[8:10] == b'{"':  # safetensors: a length, then JSON
        if b'bm_plugins_bundle' in head:
            return (
                'is a bundle, for tools/predict.py. Give the .pth checkpoint '
                'that it was published from.'
            )
        if not filename.endswith('.safetensors'):
            return 'holds safetensors: name it so, ending in .safetensors.'
    for start, kind in _KINDS.items():
        if head.lstrip()[: len(start)].lower() == start.lower():
            return f'{kind}. {give}'
    if head.isascii() and head.decode().translate(_LINES).isprintable():
        return (
            f'is a text file. {give} (a last_checkpoint file holds the path '
            'of one)'
        )
    return ''


def config_text(filename: str) -> str:
    """Text of the config that a checkpoint of :func:`load` was trained with.

    Its ``meta['cfg']``, Python from who knows where, which is never to be
    executed; empty if there is none.
    """
    if str(filename).endswith('.safetensors'):
        return ''
    checkpoint = torch.load(filename, map_location='meta', weights_only=True)
    meta = checkpoint.get('meta')
    text = meta.get('cfg') if isinstance(meta, dict) else None
    return text if isinstance(text, str) else ''


def drop_config(checkpoint: dict) -> None:
    """Take out the config texts, which mmengine would execute.

    ``Runner.resume`` runs ``meta['config']`` as Python; its inferencer runs
    ``message_hub['runtime_info']['cfg']`` or else ``meta['cfg']``.
    """
    meta, hub = checkpoint.get('meta'), checkpoint.get('message_hub')
    if isinstance(meta, dict):
        meta.pop('config', None)
        meta.pop('cfg', None)
    if isinstance(hub, dict):
        for part in ('runtime_info', 'resumed_keys'):
            if isinstance(hub.get(part), dict):
                hub[part].pop('cfg', None)


def _reason(error: Exception) -> str:
    """What torch found; not its advice, which is to load it all the same."""
    text = str(error)
    if found := re.search(r'(?:GLOBAL|global) ([\w.]+)', text):
        return f'it holds {found[1]}'
    if 'TorchScript' in text:
        return 'it is a TorchScript model, as tools/export.py writes'
    if 'not allowed' in text:
        return text.strip().splitlines()[-1][:200]
    return type(error).__name__


# '' is the scheme of local paths in mmengine's own loader.
CheckpointLoader.register_scheme(prefixes='', loader=load, force=True)
