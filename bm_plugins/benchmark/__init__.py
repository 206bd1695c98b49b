"""Ours and the stock route, timed side by side in one run."""
