"""A published classifier, and what it says of a cell."""
