"""What is wrong with a collection before anything is trained on it."""
