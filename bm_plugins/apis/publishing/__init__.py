"""A bundle from a config and a checkpoint."""
