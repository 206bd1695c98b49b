"""From features to a loss or to scores."""
