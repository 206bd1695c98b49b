"""What the old framework needs on a modern stack, one file a reason."""

from . import quiet_logs, safe_loading  # noqa: F401
