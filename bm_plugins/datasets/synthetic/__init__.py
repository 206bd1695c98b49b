"""Synthetic marrow cells, to try the tools out without the release."""
