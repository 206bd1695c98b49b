"""mmengine's Weights & Biases backend on a real checkout.

Why: upstream's uploads every .py file below the working directory, those of
a virtual environment in it too; it shows a missing login as a traceback; and
it drops the step, so that scores of an epoch have no place on the axis.
"""

from typing import Any

from mmengine.config import Config
from mmengine.visualization import WandbVisBackend as UpstreamBackend
from mmengine.visualization.vis_backend import force_init_env
from mmpretrain.registry import VISBACKENDS

from bm_plugins.errors import InputError, first_line


@VISBACKENDS.register_module()
class WandbVisBackend(UpstreamBackend):
    """Upstream's, under its name; the code is named by ``run.json`` instead.

    Each record has its ``step``: the iteration in training, the epoch where
    it is of a validation.
    """

    def _init_env(self) -> None:
        import wandb

        try:
            super()._init_env()
        except wandb.errors.Error as error:
            raise InputError(
                f'wandb: {first_line(error)} Log in by `wandb '
                'login`, or export WANDB_MODE=offline and send the run later '
                'by `wandb sync`.'
            ) from error

    @force_init_env
    def add_config(self, config: Config, **_: Any) -> None:
        """Record the config."""
        change = self._init_kwargs.get('allow_val_change', False)
        self._wandb.config.update(config.to_dict(), allow_val_change=change)

    def add_scalars(
        self,
        scalar_dict: dict,
        step: int = 0,
        file_path: str | None = None,
        **_: Any,
    ) -> None:
        """Record scalars with their step."""
        super().add_scalars(dict(scalar_dict, step=step))
