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
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from safetensors.torch import load_file

from ..errors import InputError

# torch.hub, by which mmengine loads URLs, asks for weights_only=False.
os.environ.pop('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', None)
os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'


def _history_method(owner: type, name: str) -> Callable:
    """Stand in for ``getattr``, by which a log history names its methods."""
    if owner is not HistoryBuffer or name not in (
        'min',
        'max',
        'mean',
        'current',
    ):
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
        HistoryBuffer,
        _named(_history_method, 'builtins', 'getattr'),
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


def config_text(filename: str) -> str:
    """Text of the config that a checkpoint was trained with, as data.

    Args:
        filename (str): Path of a file that :func:`load` takes.

    Returns:
        str: Its ``meta['cfg']``, Python from who knows where, which is never
        to be executed; empty if there is none.
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
    """The line of torch's long message that names the object."""
    lines = [line.strip() for line in str(error).splitlines()]
    named = [
        line for line in lines if 'GLOBAL' in line or 'not allowed' in line
    ]
    return (named or lines or [type(error).__name__])[0][:200]


# '' is the scheme of local paths in mmengine's own loader.
CheckpointLoader.register_scheme(prefixes='', loader=load, force=True)
