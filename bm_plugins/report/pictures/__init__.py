"""Pictures of results, by matplotlib, without a screen."""
