"""Is this machine ready? What `python -m bm_plugins doctor` looks at."""
