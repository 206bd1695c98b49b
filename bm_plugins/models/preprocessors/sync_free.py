"""Preprocessors that the host need not wait for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmpretrain.models import ClsDataPreprocessor, SelfSupDataPreprocessor
from mmpretrain.models.utils.batch_augments import Mixup
from mmpretrain.registry import BATCH_AUGMENTS, MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from bm_plugins.errors import InputError

NOT_HERE = dict(
    num_classes='supervised and linear_*.py configs, which have no views',
    decode="type='GPUViews'",
)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a small tensor of the host, without waiting."""
    if device.type == 'cuda' and tensor.device.type == 'cpu':
        # From pageable memory CUDA may wait for the stream.
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def labels_to_device(
    samples: Sequence[DataSample] | None, device: torch.device
) -> None:
    """Copy the labels of a batch in one go, in place, if it has any."""
    if not samples or 'gt_label' not in samples[0]:
        return
    labels = [sample.gt_label for sample in samples]
    moved = to_device(torch.cat(labels), device)
    sizes = [len(label) for label in labels]
    for sample, label in zip(samples, moved.split(sizes), strict=True):
        sample.set_gt_label(label)


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


@BATCH_AUGMENTS.register_module()
class SyncFreeMixup(Mixup):
    """mmpretrain's ``Mixup``, with the same draws and results.

    Zhang et al. 2018 (arXiv:1710.09412). Upstream indexes a batch on the
    device by numbers of the host; each time the host waits for the device.

    Args:
        alpha (float): Both parameters of the Beta distribution of the mixing
            ratio.
    """

    def mix(
        self, batch_inputs: Tensor, batch_scores: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mix each image (N, C, H, W) and its targets with a partner's."""
        share = np.random.beta(self.alpha, self.alpha)
        partner = torch.randperm(len(batch_inputs))
        partner = to_device(partner, batch_inputs.device)
        return tuple(
            share * own + (1 - share) * own[partner]
            for own in (batch_inputs, batch_scores)
        )
