"""Features in a file, and the linear evaluation of any."""
