"""Ours beside the stock route, for tools/benchmark.py."""
