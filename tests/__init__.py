"""Tests; a package, since a dependency installs another `tests`."""
