"""What the features of a data set depend on, as a hash."""

import hashlib
import json
import os

import cv2
import mmcv
import mmpretrain
import torch
import torchvision
from torch import nn
from torch.utils.data import Dataset

# Raise where the same weights and files give other features than before.
FORMAT = 2
CLASSIFIER = 'head.fc.'
MODE = 'training'  # evaluation, whatever it is before
LIBRARIES = (torch, torchvision, cv2, mmcv, mmpretrain)


def feature_key(
    model: nn.Module, dataset: Dataset, pipeline: list, fp16: bool
) -> str:
    """Hash of all that decides the features, wherever it comes from.

    The network as it is built and its weights, but for the linear classifier
    ``head.fc``; the preprocessor; the kind of device; the images' paths
    relative to the image folder, sizes, times of change and ranges of values,
    in order; the pipeline; the versions of the libraries that compute.

    Args:
        model (nn.Module): Has ``backbone``, ``data_preprocessor`` and head.
        dataset (Dataset): Its ``get_data_info`` has ``img_path``.
        pipeline (list): Config of its transforms, without random ones.
        fp16 (bool): Mixed precision.

    Returns:
        str: 64 hexadecimal digits.
    """
    digest = hashlib.sha256()

    def add(*values: object) -> None:
        digest.update(json.dumps(values, default=repr).encode() + b'\n')

    add(FORMAT, [library.__version__ for library in LIBRARIES])
    for name, part in model.named_children():
        add(name, type(part).__name__ if name == 'head' else repr(part))
    preprocessor = model.data_preprocessor
    settings = vars(preprocessor).items()
    simple = (bool, int, float, str)
    add([s for s in settings if isinstance(s[1], simple) and s[0] != MODE])
    buffers = dict(preprocessor.named_buffers())
    add([(k, v.flatten().tolist()) for k, v in buffers.items()])
    device = 'cpu'
    for name, weight in model.state_dict().items():
        if name.startswith(CLASSIFIER):
            continue
        device = weight.device.type
        add(name, weight.shape, str(weight.dtype))
        raw = weight.detach().cpu().contiguous().flatten()
        digest.update(raw.view(torch.uint8).numpy())
    add(device, fp16, pipeline)
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        file = os.stat(info['img_path'])
        path = info.get('path', info['img_path'])
        add(path, file.st_size, file.st_mtime_ns)
        if bits := info.get('bits'):
            add(bits)
    return digest.hexdigest()
