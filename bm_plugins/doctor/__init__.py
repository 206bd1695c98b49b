"""Is this machine ready? What `bm doctor` looks at."""
