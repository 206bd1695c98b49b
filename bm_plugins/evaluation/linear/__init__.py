"""A linear classifier on frozen features, solved exactly."""
