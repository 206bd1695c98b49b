"""mmengine's MLflow backend on MLflow 3.

Why: MLflow 3 refuses upstream's default, a folder of files; upstream does not
heed MLFLOW_TRACKING_URI; and at the end it files everything of the work
folder, its own store in it too, which each run doubles.
"""

import os
from pathlib import Path
from typing import Any

from mmengine.visualization import MLflowVisBackend as UpstreamBackend
from mmpretrain.registry import VISBACKENDS

from bm_plugins.errors import InputError, first_line

_FILED = ('.log', '.json', '.csv')


@VISBACKENDS.register_module()
class MLflowVisBackend(UpstreamBackend):
    """Upstream's, under its name.

    Args:
        save_dir (str): As upstream: the run's ``vis_data``.
        tracking_uri (str, optional): Server, database or folder. Defaults to
            None: that of MLFLOW_TRACKING_URI, else ``save_dir``.
        **kwargs: As upstream.
    """

    def __init__(
        self, save_dir: str, tracking_uri: str | None = None, **kwargs: Any
    ) -> None:
        uri = tracking_uri or os.environ.get('MLFLOW_TRACKING_URI')
        super().__init__(save_dir, tracking_uri=uri, **kwargs)

    def _init_env(self) -> None:
        # Where neither server nor database is named, it is a folder.
        os.environ.setdefault('MLFLOW_ALLOW_FILE_STORE', 'true')
        from mlflow.exceptions import MlflowException

        try:
            super()._init_env()
        except MlflowException as error:
            raise InputError(
                f'mlflow, at {self._tracking_uri or self._save_dir}: '
                f'{first_line(error)} Start the server, or set '
                'MLFLOW_TRACKING_URI.'
            ) from error

    def close(self) -> None:
        """File this run's log, manifest and tables, and end it."""
        if not hasattr(self, '_mlflow'):
            return
        for file in sorted(Path(self._save_dir).parent.iterdir()):
            if file.suffix in _FILED:
                self._mlflow.log_artifact(str(file))
        self._mlflow.end_run()
