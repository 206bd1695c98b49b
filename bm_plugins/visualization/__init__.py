"""Pictures of runs, features and prototypes."""
