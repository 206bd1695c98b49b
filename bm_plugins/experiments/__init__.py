"""Several runs of the launch scripts, one after the other."""
