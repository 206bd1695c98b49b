"""Importing this registers everything in mmpretrain's registries."""

from . import compat, datasets, engine, evaluation, models  # noqa: F401

for _package in (datasets, evaluation):  # whose names come when asked for
    for _name in _package.__all__:
        getattr(_package, _name)
