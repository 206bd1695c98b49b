"""Whether an image file is whole."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from ..errors import InputError, UnreadableImage


def read_content(path: str, folder: str | Path) -> bytes:
    """Read an image file of which no end is missing.

    Args:
        path (str): Path relative to ``folder``.
        folder (str or Path): The image folder.

    Returns:
        bytes: The file.

    Raises:
        UnreadableImage: It cannot be used; the message is the reason alone.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UnreadableImage('the name is not UTF-8') from None
    try:
        content = Path(folder, path).read_bytes()
    except OSError as error:
        raise UnreadableImage(f'cannot be read ({error.strerror})') from None
    if not content:
        raise UnreadableImage('empty file')
    if content[:2] == b'\xff\xd8' and b'\xff\xd9' not in content[-4096:]:
        raise UnreadableImage('truncated JPEG')
    return content


def read_whole(path: str, folder: str | Path) -> tuple[bytes, np.ndarray]:
    """Read and decode an image of which nothing is missing.

    Arguments as for :func:`read_content`.

    Returns:
        tuple[bytes, np.ndarray]: The file, and the image (H, W, 3) in BGR.

    Raises:
        UnreadableImage: It cannot be used; the message is the reason alone.
    """
    content = read_content(path, folder)
    buffer = np.frombuffer(content, np.uint8)
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    except cv2.error:  # more pixels than OpenCV takes
        image = None
    if image is None:
        raise UnreadableImage('cannot be decoded')
    return content, image


def find_fault(path: str, folder: str | Path) -> str | None:
    """Why an image cannot be used, or None for a whole one.

    Arguments as for :func:`read_whole`.
    """
    try:
        read_whole(path, folder)
    except UnreadableImage as fault:
        return str(fault)
    return None


def find_faults(
    paths: Sequence[str], folder: str | Path, workers: int = 1
) -> dict[str, str]:
    """Decode all images, with a progress bar.

    Args:
        paths (Sequence[str]): Paths relative to ``folder``.
        folder (str or Path): The image folder.
        workers (int): Number of processes.

    Returns:
        dict[str, str]: Reason by path, of the images that cannot be used.
    """
    check_workers(workers)
    check = partial(find_fault, folder=folder)
    with ProcessPoolExecutor(max_workers=workers) as pool:
        reasons = pool.map(check, paths, chunksize=64)
        reasons = track(reasons, 'Decoding', total=len(paths))
        return {
            path: reason
            for path, reason in zip(paths, reasons, strict=True)
            if reason
        }


def check_workers(workers: int) -> None:
    """Raise InputError for a number of processes below 1."""
    if workers < 1:
        raise InputError(f'--workers {workers}: expected 1 or more.')
