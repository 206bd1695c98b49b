"""What an exported file computes, and what it says of itself."""

import json
import platform

import torch
from torch import Tensor, nn

from bm_plugins.apis.bundle.bundle import Bundle
from bm_plugins.apis.bundle.bundle_model import BundleModel
from bm_plugins.version import __version__

INPUT = 'images'
OUTPUTS = ('probabilities', 'logits', 'features')


class ExportModel(nn.Module):
    """A bundle's network with calibrated probabilities.

    Guo et al. 2017 (arXiv:1706.04599), section 4.2, temperature scaling.

    Args:
        model (BundleModel): The network; it normalises by itself.
        temperature (float): Of the probabilities.
    """

    def __init__(self, model: BundleModel, temperature: float) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs in the order of ``OUTPUTS``.

        Args:
            images (Tensor): (B, 3, H, W), RGB of 0 to 255, float32.

        Returns:
            tuple[Tensor, Tensor, Tensor]: softmax(logits / temperature)
            (B, C), logits (B, C), features (B, D).
        """
        features, logits = self.model(images)
        return (logits / self.temperature).softmax(1), logits, features


def describe(bundle: Bundle) -> dict[str, str]:
    """What goes into the file beside the network: texts, lists as JSON."""
    width, height = bundle.size
    return dict(
        classes=json.dumps(bundle.classes),
        full_names=json.dumps(bundle.full_names),
        input=f'{INPUT}: float32 (batch, 3, {height}, {width}), RGB of 0 to '
        '255; the normalisation is inside',
        outputs='probabilities (batch, classes): softmax(logits / '
        'temperature); logits (batch, classes); features (batch, dim)',
        interpolation=bundle.interpolation,
        temperature=repr(bundle.temperature),
        bundle_digest=bundle.digest,
        bm_plugins=__version__,
        torch=torch.__version__,
        python=platform.python_version(),
        use='Research use only, not for diagnosis.',
    )
