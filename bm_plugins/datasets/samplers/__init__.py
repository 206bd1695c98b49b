"""Which image comes next."""
