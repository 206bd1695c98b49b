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
    size = math.prod(shape)
    buffer = _buffers.__dict__.get(name)
    if buffer is None or buffer.size < size:
        buffer = _buffers.__dict__[name] = np.empty(size, dtype)
    return buffer[:size].reshape(shape)
