"""Decoded images in one file."""
