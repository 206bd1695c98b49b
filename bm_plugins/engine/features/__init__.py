"""Frozen features of many images, kept in a cache."""
