"""Views of images to the device, without a wait."""

from typing import Any

from mmpretrain.models import SelfSupDataPreprocessor
from mmpretrain.registry import MODELS
from torch import Tensor

from bm_plugins.errors import InputError

from .to_device import labels_to_device

NOT_HERE = dict(
    num_classes='supervised and linear_*.py configs, which have no views',
    decode="type='GPUViews'",
)


@MODELS.register_module()
class SyncFreeViewsPreprocessor(SelfSupDataPreprocessor):
    """mmpretrain's ``SelfSupDataPreprocessor`` without its waits.

    Upstream turns BGR into RGB by a list of indices, which are copied to the
    device, for each view anew, and each time the host waits until all steps
    before are done. Same arguments but ``non_blocking``, same result.

    Raises:
        InputError: An argument is one of another preprocessor.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        for key, what in NOT_HERE.items():
            if key in kwargs:
                raise InputError(
                    f'data_preprocessor.{key} goes with {what}, not with '
                    f"type='{type(self).__name__}'."
                )
        super().__init__(*args, **dict(kwargs, non_blocking=True))

    def forward(self, data: dict, training: bool = False) -> dict:
        """Copy and normalise.

        Args:
            data (dict): ``inputs``, a batch (B, 3, H, W) or a list of one a
                view, and perhaps ``data_samples``.
            training (bool): Makes no difference. Defaults to False.

        Returns:
            dict: ``inputs`` and ``data_samples``.
        """
        samples = data.get('data_samples')
        labels_to_device(samples, self.device)
        inputs = self.cast_data(data['inputs'])
        if isinstance(inputs, Tensor):
            inputs = self._normalise(inputs)
        else:
            inputs = [self._normalise(view) for view in inputs]
        return dict(inputs=inputs, data_samples=self.cast_data(samples))

    def _normalise(self, images: Tensor, is_rgb: bool = False) -> Tensor:
        if self._channel_conversion != is_rgb:
            images = images.flip(1)
        # Collated channels last; the model's own order is an option's.
        images = images.contiguous().float()
        if self._enable_normalize:
            images = (images - self.mean) / self.std
        return images
