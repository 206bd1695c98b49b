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
    if content[:2] == b'\xff\xd8' and b'Exif' not in content[:4096]:
        buffer = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        try:
            image = decode_jpeg(buffer)
        except RuntimeError:  # some versions of OpenCV still read it
            image = None
        if image is not None and len(image) == 3:
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
