"""From a batch of the loader to a batch of the model."""
