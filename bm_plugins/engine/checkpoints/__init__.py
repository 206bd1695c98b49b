"""Checkpoints of other programs and layouts."""
