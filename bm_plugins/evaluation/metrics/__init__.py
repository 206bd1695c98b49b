"""Scores of a test, as the framework asks for them."""
