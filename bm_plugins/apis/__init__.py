"""Trained models as one file, and what they say of a folder of cells."""
