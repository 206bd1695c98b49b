"""Importing this registers everything in mmpretrain's registries."""

from . import compat, datasets, engine, evaluation, models  # noqa: F401
