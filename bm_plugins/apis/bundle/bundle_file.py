"""A bundle as one safetensors file that executes nothing."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.image.geometric import cv2_interp_codes
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from bm_plugins.errors import InputError
from bm_plugins.utils.files import atomic_write

from .bundle import Bundle, Reference, Validation

FORMAT = 1
_MAX_SIDE = 4096  # pixels; more is a damaged or crafted bundle
_KEY = 'bm_plugins_bundle'
_TEXT = (
    *('classes', 'full_names', 'backbone', 'size', 'interpolation'),
    *('mean', 'std', 'temperature', 'info', 'card'),
)


def save_bundle(bundle: Bundle, file: str | Path) -> str:
    """Write a bundle: a safetensors file, its texts as JSON in the header.

    Args:
        bundle (Bundle): The bundle; its ``digest`` is not read.
        file (str or Path): The file to write or replace.

    Returns:
        str: The digest.

    Raises:
        InputError: As :func:`atomic_write`.
    """
    try:
        _check_sizes(bundle)
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f'no bundle can be made of this: {error}.') from error
    pictures = bundle.reference.pictures
    tensors = {f'model.{k}': v for k, v in bundle.weights.items()}
    for part in ('logits', 'labels', 'distances'):
        tensors[f'validation.{part}'] = getattr(bundle.validation, part)
    tensors['reference.features'] = bundle.reference.features
    tensors['reference.labels'] = bundle.reference.labels
    tensors['reference.pictures'] = torch.from_numpy(
        np.frombuffer(b''.join(pictures), np.uint8).copy()
    )
    tensors['reference.ends'] = torch.tensor(
        [len(picture) for picture in pictures], dtype=torch.int64
    ).cumsum(0)
    # Copies, as safetensors takes no two names for the same memory.
    tensors = {
        k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()
    }
    texts = {name: getattr(bundle, name) for name in _TEXT}
    texts['format'] = FORMAT
    texts['paths'] = bundle.reference.paths
    digest = _digest(tensors, texts)
    header = json.dumps(dict(texts, digest=digest))
    # safetensors' own writing hides the disk's errors, and lets no one else
    # read the file.
    with atomic_write(file) as partial:
        partial.write_bytes(save(tensors, metadata={_KEY: header}))
    return digest


def load_bundle(file: str | Path) -> Bundle:
    """Read a bundle; nothing in it is executed.

    Args:
        file (str or Path): A file of :func:`save_bundle`.

    Returns:
        Bundle: The bundle.

    Raises:
        InputError: The file is missing, no bundle, of another format, or
            damaged.
    """
    if Path(file).is_dir():
        raise InputError(
            f'{file} is a folder; the bundle, a file, is named first.'
        )
    if not Path(file).is_file():
        raise InputError(
            f'bundle {file} does not exist. Write one by tools/publish.py.'
        )
    try:
        with safe_open(file, framework='pt') as stream:
            header = (stream.metadata() or {}).get(_KEY)
            if header is None:
                raise InputError(
                    f'{file} holds weights, but is no bundle of this project. '
                    'Write one by tools/publish.py.'
                )
            tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
        texts = json.loads(header)
        digest = texts.pop('digest')
        found = texts['format']
    except OSError as error:
        raise InputError(
            f'bundle {file} cannot be read: {error.strerror or error}.'
        ) from error
    except SafetensorError as error:
        raise InputError(
            f'{file} is no bundle, or a damaged one ({error}). Write one by '
            'tools/publish.py; a .pth checkpoint is none.'
        ) from error
    except (
        *(ValueError, KeyError, TypeError, AttributeError, RecursionError),
    ) as error:
        raise _damaged(file, error) from error
    if found != FORMAT:
        raise InputError(
            f'bundle {file} has format {found}, this version reads {FORMAT}. '
            'Publish the model anew, or use the version that wrote it.'
        )
    if _digest(tensors, texts) != digest:
        raise _damaged(file, 'its content does not give its digest')
    try:
        return _bundle(tensors, texts, digest)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(file, f'{type(error).__name__}: {error}') from error


def _damaged(file: str | Path, reason: Any) -> InputError:
    return InputError(
        f'bundle {file} is damaged ({reason}). Copy or publish it anew.'
    )


def _bundle(
    tensors: dict[str, Tensor], texts: dict[str, Any], digest: str
) -> Bundle:
    paths = tuple(texts.pop('paths'))
    del texts['format']
    ends = tensors['reference.ends'].tolist()
    stream = tensors['reference.pictures'].numpy().tobytes()
    pictures = tuple(
        stream[start:end] for start, end in zip([0, *ends], ends, strict=False)
    )
    for name in ('classes', 'full_names', 'size', 'mean', 'std'):
        texts[name] = tuple(texts[name])
    bundle = Bundle(
        weights={
            key.removeprefix('model.'): value
            for key, value in tensors.items()
            if key.startswith('model.')
        },
        validation=Validation(
            tensors['validation.logits'],
            tensors['validation.labels'],
            tensors['validation.distances'],
        ),
        reference=Reference(
            tensors['reference.features'],
            tensors['reference.labels'],
            paths,
            pictures,
        ),
        digest=digest,
        **texts,
    )
    _check_sizes(bundle)
    return bundle


def _check_sizes(bundle: Bundle) -> None:
    """Raise ValueError for parts that do not fit each other."""
    codes = bundle.classes
    if len({*codes}) < len(codes) or not all(
        isinstance(code, str) and code and code == code.strip()
        for code in codes
    ):
        raise ValueError(
            f'classes {codes}: expected codes without padding, each once'
        )
    number, known = len(bundle.classes), len(bundle.reference.features)
    held = len(bundle.validation.labels)
    checks = dict(
        full_names=len(bundle.full_names) == number,
        validation=bundle.validation.logits.shape == (held, number)
        and bundle.validation.distances.shape == (held,),
        reference=bundle.reference.features.dim() == 2
        and len(bundle.reference.labels) == known
        and len(bundle.reference.paths) == known
        and len(bundle.reference.pictures) == known,
        labels=all(
            0 <= int(label) < number
            for labels in (bundle.validation.labels, bundle.reference.labels)
            for label in labels.unique()
        ),
        label_types=not bundle.validation.labels.is_floating_point()
        and not bundle.reference.labels.is_floating_point(),
        temperature=0 < bundle.temperature < math.inf,
        interpolation=bundle.interpolation in cv2_interp_codes,
        info=isinstance(bundle.info, dict) and _is_prior(bundle),
        size=len(bundle.size) == 2
        and all(
            isinstance(side, int) and 0 < side <= _MAX_SIDE
            for side in bundle.size
        ),
        normalisation=len(bundle.mean) == len(bundle.std) == 3,
    )
    if wrong := [name for name, right in checks.items() if not right]:
        raise ValueError(f'{", ".join(wrong)} of a wrong size or value')


def _is_prior(bundle: Bundle) -> bool:
    """Whether its prior is shares of its classes, or not said."""
    try:
        prior = bundle.prior
    except (LookupError, TypeError, ValueError, OverflowError):
        return False
    return prior is None or (
        prior.shape == (len(bundle.classes),)
        and bool((prior >= 0).all())
        and abs(prior.sum() - 1) < 1e-6
    )


def _digest(tensors: Mapping[str, Tensor], texts: dict[str, Any]) -> str:
    """SHA-256 of names, types, shapes and values."""
    total = hashlib.sha256(
        json.dumps(texts, sort_keys=True, default=list).encode()
    )
    for name in sorted(tensors):
        value = tensors[name]
        total.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
        flat = value.reshape(-1).view(torch.uint8) if value.numel() else value
        total.update(flat.numpy().data)
    return total.hexdigest()
