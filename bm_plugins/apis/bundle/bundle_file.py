"""A bundle as one safetensors file that executes nothing."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bm_plugins.errors import InputError
from bm_plugins.utils.files import atomic_write

from .bundle import Bundle, Reference, Validation
from .read_cell import INTERPOLATIONS

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
    tensors |= {f'published.{k}': v for k, v in bundle.published.items()}
    for part in fields(Validation):
        value = getattr(bundle.validation, part.name)
        if value is not None:
            tensors[f'validation.{part.name}'] = value
    tensors['reference.features'] = bundle.reference.features
    tensors['reference.labels'] = bundle.reference.labels
    tensors['reference.pictures'] = np.frombuffer(b''.join(pictures), np.uint8)
    tensors['reference.ends'] = np.cumsum([*map(len, pictures)], dtype=int)
    if bundle.graph:
        tensors['graph'] = np.frombuffer(bundle.graph, np.uint8)
    tensors = {k: np.require(v, requirements='C') for k, v in tensors.items()}
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
        with safe_open(file, framework='np') as stream:
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
    tensors: dict[str, np.ndarray], texts: dict[str, Any], digest: str
) -> Bundle:
    paths = tuple(texts.pop('paths'))
    del texts['format']
    ends = tensors['reference.ends'].tolist()
    stream = tensors['reference.pictures'].tobytes()
    pictures = tuple(
        stream[start:end] for start, end in zip([0, *ends], ends, strict=False)
    )
    for name in ('classes', 'full_names', 'size', 'mean', 'std'):
        texts[name] = tuple(texts[name])
    bundle = Bundle(
        weights=_under('model.', tensors),
        published=_under('published.', tensors),
        validation=Validation(
            tensors['validation.logits'],
            tensors['validation.labels'],
            tensors['validation.distances'],
            tensors.get('validation.features'),
            tensors.get('validation.rows'),
        ),
        reference=Reference(
            tensors['reference.features'],
            tensors['reference.labels'],
            paths,
            pictures,
        ),
        graph=tensors['graph'].tobytes() if 'graph' in tensors else b'',
        digest=digest,
        **texts,
    )
    _check_sizes(bundle)
    return bundle


def _under(
    prefix: str, tensors: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    return {
        key.removeprefix(prefix): value
        for key, value in tensors.items()
        if key.startswith(prefix)
    }


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
    number, known, held = len(codes), bundle.reference, bundle.validation
    labels = known.labels, held.labels
    checks = dict(
        full_names=len(bundle.full_names) == number,
        validation=held.logits.shape == (len(held.labels), number)
        and held.distances.shape == (len(held.labels),)
        and _features_fit(held, known),
        reference=len(known.features)
        == len(known.labels)
        == len(known.paths)
        == len(known.pictures)
        and known.features.ndim == 2,
        labels=all(
            0 <= int(label) < number
            for part in labels
            for label in np.unique(part)
        ),
        label_types=all(part.dtype.kind in 'iu' for part in labels),
        temperature=0 < bundle.temperature < math.inf,
        interpolation=bundle.interpolation in INTERPOLATIONS,
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


def _features_fit(held: Validation, known: Reference) -> bool:
    """Whether the kept features are of its images, or there are none."""
    if held.features is None or held.rows is None:
        return held.features is held.rows
    return (
        held.rows.dtype.kind in 'iu'
        and held.features.shape == (len(held.rows), known.features.shape[1])
        and ((held.rows >= 0) & (held.rows < len(held.labels))).all()
    )


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


def _digest(tensors: Mapping[str, np.ndarray], texts: dict[str, Any]) -> str:
    """SHA-256 of names, types, shapes and values."""
    total = hashlib.sha256(
        json.dumps(texts, sort_keys=True, default=list).encode()
    )
    for name in sorted(tensors):
        value = tensors[name]
        # As torch names the types, by which bundles were first written.
        kind = f'torch.{value.dtype}'
        total.update(f'{name} {kind} {value.shape}\n'.encode())
        total.update(value.tobytes())
    return total.hexdigest()
