"""What the old framework needs on a modern stack, one file a reason."""

from . import mlflow_backend, quiet_logs, safe_loading, wandb_backend  # noqa: F401
