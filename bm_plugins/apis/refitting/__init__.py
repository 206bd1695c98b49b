"""A bundle whose classifier a person's labels make anew."""
