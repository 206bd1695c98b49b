"""Load checkpoints without running what they contain.

Why: a checkpoint is a pickle, and torch before 2.6 executes it on load. From
2.6 on ``torch.load`` refuses unknown globals, among them those that mmengine
writes into every checkpoint (its log history, numpy arrays), so that resuming
fails. The few globals below are allowed, everything else is refused on every
supported torch, whatever the environment says.
"""

import os
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.utils import digit_version

from ..errors import InputError

# mmengine's loaders of URLs do not say weights_only; they obey these.
os.environ.pop('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', None)
if digit_version(torch.__version__) < digit_version('2.6'):
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


# torch looks an allowed global up by these.
_history_method.__module__ = 'builtins'
_history_method.__name__ = _history_method.__qualname__ = 'getattr'

torch.serialization.add_safe_globals(
    [
        HistoryBuffer,
        _history_method,
        np.ndarray,
        np.dtype,
        np.zeros(1).__reduce__()[0],
        np.float64(0).__reduce__()[0],
        *{type(np.dtype(kind)) for kind in '?bBhHiIlLqQefd'},
    ]
)


def load(filename: str, map_location: Any = None) -> dict:
    """Load a local checkpoint; nothing in it is executed.

    Args:
        filename (str): Path of a file written by ``torch.save``.
        map_location (str or callable, optional): As for ``torch.load``.

    Returns:
        dict: The checkpoint, without the config text that
        ``Runner.resume`` would execute.

    Raises:
        InputError: The file is missing, is no checkpoint, or holds objects
            beyond tensors, numbers, text, containers and log history.
    """
    try:
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
    # Runner.resume executes this text as a Python config.
    if isinstance(checkpoint.get('meta'), dict):
        checkpoint['meta'].pop('config', None)
    return checkpoint


def _reason(error: Exception) -> str:
    """The line of torch's long message that names the object."""
    lines = [line.strip() for line in str(error).splitlines()]
    named = [
        line for line in lines if 'GLOBAL' in line or 'not allowed' in line
    ]
    return (named or lines or [type(error).__name__])[0][:200]


# '' is the scheme of local paths in mmengine's own loader.
CheckpointLoader.register_scheme(prefixes='', loader=load, force=True)
