"""A bundle in other programs' formats."""
