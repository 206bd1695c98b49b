"""Decoding of image files."""

import cv2
import numpy as np
import torch
from torchvision.io import decode_jpeg


def decode_image(content: bytes) -> np.ndarray:
    """Decode an image file to the pixels that OpenCV gives.

    A plain JPEG goes through torchvision, whose libjpeg-turbo is the same
    and wastes less time around it; all else through OpenCV.

    Args:
        content (bytes): The file.

    Returns:
        np.ndarray: BGR (H, W, 3), uint8.

    Raises:
        ValueError: It cannot be decoded.
    """
    if jpeg_shape(content):
        buffer = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        try:
            image = decode_jpeg(buffer)
        except RuntimeError:  # some versions of OpenCV still read it
            image = None
        if image is not None:
            rgb = image.permute(1, 2, 0).numpy()
            return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR, rgb)
    buffer = np.frombuffer(content, np.uint8)
    try:
        img = cv2.imdecode(buffer, cv2.IMREAD_COLOR) if len(buffer) else None
    except cv2.error as error:  # more pixels than OpenCV takes
        raise ValueError(str(error)) from error
    if img is None:
        raise ValueError('cannot be decoded')
    return img


def jpeg_shape(content: bytes) -> tuple[int, int] | None:
    """Height and width of a plain JPEG, read from its header.

    Args:
        content (bytes): The file.

    Returns:
        tuple[int, int] or None: In pixels; None for another format, for one
        that is not in three colours, and for a camera's, which may have to be
        turned.
    """
    if content[:2] != b'\xff\xd8' or b'Exif' in content[:4096]:
        return None
    at = 2
    while content[at : at + 1] == b'\xff' and at + 9 < len(content):
        marker = content[at + 1]
        # SOF0 to SOF2: baseline, extended and progressive
        if marker in (0xC0, 0xC1, 0xC2):
            height = int.from_bytes(content[at + 5 : at + 7], 'big')
            width = int.from_bytes(content[at + 7 : at + 9], 'big')
            return (height, width) if content[at + 9] == 3 else None
        at += 2 + int.from_bytes(content[at + 2 : at + 4], 'big')
    return None
