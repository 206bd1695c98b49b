"""Optimisers and their precision."""
