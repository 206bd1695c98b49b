"""Methods that learn representations."""
