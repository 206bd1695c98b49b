"""Images and labels to the device, without a wait."""

from typing import Any

from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.registry import MODELS

from .to_device import labels_to_device


@MODELS.register_module()
class SyncFreeDataPreprocessor(ClsDataPreprocessor):
    """mmpretrain's ``ClsDataPreprocessor``, which the host need not wait for.

    Upstream's copies of the images and labels end the host's lead over the
    device in every step. Same arguments, same result.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._non_blocking = True

    def forward(self, data: dict, training: bool = False) -> dict:
        """Copy, normalise and, in training, mix.

        Args:
            data (dict): ``inputs`` and perhaps ``data_samples``.
            training (bool): Whether to mix images. Defaults to False.

        Returns:
            dict: The same keys.
        """
        labels_to_device(data.get('data_samples'), self.device)
        return super().forward(data, training)
