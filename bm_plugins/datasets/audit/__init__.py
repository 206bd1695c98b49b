"""Duplicates and oddities of a collection."""
