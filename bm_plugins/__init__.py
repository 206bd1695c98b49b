"""OpenMMLab plugins that learn to recognise bone-marrow cells.

Importing the package is cheap; the names below come when they are asked for.
:mod:`bm_plugins.plugins` registers everything in mmpretrain's registries; a
config does so by ``custom_imports=dict(imports=['bm_plugins.plugins'])``.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import InputError

if TYPE_CHECKING:
    from .apis.bundle.bundle_file import load_bundle
    from .apis.bundle.cell_inferencer import CellInferencer
    from .apis.prediction.predict import predict
    from .apis.publishing.publish import publish
    from .datasets import Matek

    [getattr(p, n) for p in (datasets, evaluation) for n in p.__all__]

__version__ = '0.1.0'
__all__ = [
    'CellInferencer',
    'InputError',
    'Matek',
    '__version__',
    'load_bundle',
    'predict',
    'publish',
]
_MODULES = dict(
    CellInferencer='apis.cell_inferencer',
    Matek='datasets',
    load_bundle='apis.bundle_file',
    predict='apis.predict',
    publish='apis.publish',
)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    found = getattr(import_module(f'.{_MODULES[name]}', __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# A config of old names this package alone among its custom_imports.
if 'mmengine' in sys.modules:
    from . import plugins  # noqa: F401
