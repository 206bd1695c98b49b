"""OpenMMLab plugins that learn to recognise bone-marrow cells.

Importing the package is cheap; the names below come when they are asked for.
:mod:`bm_plugins.plugins` registers everything in mmpretrain's registries; a
config does so by ``custom_imports=dict(imports=['bm_plugins.plugins'])``.
"""

import sys
from typing import TYPE_CHECKING

from .errors import InputError
from .utils.lazy import lazy_names
from .version import __version__

if TYPE_CHECKING:
    from .apis.bundle.bundle_file import load_bundle
    from .apis.bundle.cell_inferencer import CellInferencer
    from .apis.prediction.predict import predict
    from .apis.publishing.publish import publish
    from .datasets.matek import Matek


__all__ = [
    'CellInferencer',
    'InputError',
    'Matek',
    '__version__',
    'load_bundle',
    'predict',
    'publish',
]
__getattr__, __dir__ = lazy_names(
    __name__,
    dict(
        CellInferencer='.apis.bundle.cell_inferencer',
        Matek='.datasets.matek',
        load_bundle='.apis.bundle.bundle_file',
        predict='.apis.prediction.predict',
        publish='.apis.publishing.publish',
    ),
)

# A config of old names this package alone among its custom_imports.
if 'mmengine' in sys.modules:
    from . import plugins  # noqa: F401
