"""Files, machine and processes: what every other folder may use."""
