"""Memory for steps between an image and its view."""

import math
import threading

import numpy as np

_buffers = threading.local()


def scratch(name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """An array of this thread to write over.

    A fresh array of a view's size costs more in page faults than most
    transforms in arithmetic.

    Args:
        name (str): The next call with this name may return the same memory.
        shape (tuple[int, ...]): Its shape.
        dtype (type): Its type.

    Returns:
        np.ndarray: Contiguous, of any content.
    """
    buffers = _buffers.__dict__
    try:
        return np.ndarray(shape, dtype, buffers[name])
    except (KeyError, TypeError):  # none yet, or too small
        buffers[name] = bytearray(math.prod(shape) * np.dtype(dtype).itemsize)
        return np.ndarray(shape, dtype, buffers[name])
