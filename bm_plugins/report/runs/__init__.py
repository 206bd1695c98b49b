"""Reports on tested runs and cross-validations."""
