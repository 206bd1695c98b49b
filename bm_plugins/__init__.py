"""OpenMMLab plugins that learn to recognise bone-marrow cells.

Importing the package registers everything in mmpretrain's registries; a
config does so by ``custom_imports=dict(imports=['bm_plugins'])``.
"""

import sys

from .errors import InputError

# `python -m bm_plugins doctor` is to say what fails here.
if sys.argv[:1] != ['-m']:
    from . import compat, datasets, engine, evaluation, models  # noqa: F401

    [getattr(p, n) for p in (datasets, evaluation) for n in p.__all__]

__version__ = '0.1.0'
__all__ = ['InputError', '__version__']
