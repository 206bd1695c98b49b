"""OpenMMLab plugins that learn to recognise bone-marrow cells.

Importing the package registers everything in mmpretrain's registries; a
config does so by ``custom_imports=dict(imports=['bm_plugins'])``.
"""

from . import compat, datasets, engine, evaluation, models  # noqa: F401
from .errors import InputError

__version__ = '0.1.0'
__all__ = ['InputError', '__version__']
