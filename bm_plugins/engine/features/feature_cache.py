"""Features kept in files, so that a second run need not compute them."""

import hashlib
import json
import os
from math import prod
from pathlib import Path

import cv2
import mmcv
import mmpretrain
import numpy as np
import torch
import torchvision
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.utils.data import Dataset

from bm_plugins.errors import InputError
from bm_plugins.utils.files import atomic_write, make_folder

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


class FeatureCache:
    """A folder of features, a file each.

    A file is one line of JSON (the key, the shape, a SHA-256 of the values)
    and the values, float32. What does not fit its line is never used. The
    folder may be deleted at any time.

    Args:
        folder (str or Path): The folder; made when first written to.
        keep (int): Newest files to keep; of the release's 137,000 training
            images a ResNet-50's features take 1.1 GB each. Defaults to 5.
    """

    def __init__(self, folder: str | Path, keep: int = 5) -> None:
        self.folder = Path(folder)
        self.keep = keep

    def file(self, key: str) -> Path:
        """The file of a key."""
        return self.folder / f'{key[:16]}.features'

    def load(self, key: str) -> Tensor | None:
        """Features of a key.

        Args:
            key (str): By :func:`feature_key`.

        Returns:
            Tensor or None: (N, D) float32; None where there are none, or
            their file is damaged, which is logged.
        """
        file = self.file(key)
        try:
            with open(file, 'rb') as stream:
                header = json.loads(stream.readline())
                size = os.fstat(stream.fileno()).st_size - stream.tell()
                if header['key'] != key or size != 4 * prod(header['shape']):
                    raise ValueError('other key or size')
                values = np.empty(header['shape'], np.float32)
                stream.readinto(values.data.cast('B'))
            if header['sha256'] != _checksum(values):
                raise ValueError('other checksum')
            os.utime(file)  # the newest now
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            _say(f'{file} is damaged ({error}): its features are made anew.')
            return None
        _say(f'Features from cache {file}')
        return torch.from_numpy(values)

    def save(self, key: str, features: Tensor) -> None:
        """Keep features, and the newest others.

        A run does not fail because of it: a full disk is logged.

        Args:
            key (str): By :func:`feature_key`.
            features (Tensor): (N, D) float32.
        """
        values = features.cpu().contiguous().numpy()
        header = dict(
            key=key, shape=list(values.shape), sha256=_checksum(values)
        )
        file = self.file(key)
        try:
            make_folder(self.folder)
            with atomic_write(file) as partial, open(partial, 'wb') as stream:
                stream.write(json.dumps(header).encode() + b'\n')
                stream.write(values.data.cast('B'))
            # What a killed run left half is among them.
            found = self.folder.glob('*.features*')
            files = [(f.stat().st_mtime_ns, f) for f in found]
            for _, old in sorted(files, reverse=True)[self.keep :]:
                old.unlink(missing_ok=True)
        except (OSError, InputError) as error:
            _say(f'Features are not cached: {error}')
            return
        _say(f'Features cached in {file}')


def _checksum(values: np.ndarray) -> str:
    return hashlib.sha256(values.data.cast('B')).hexdigest()


def _say(message: str) -> None:
    print_log(message, logger='current')
