"""Train, validation, test and the folds."""
