"""Changes of colour of a batch, each image with its own amount.

The arithmetic of ``datasets/transforms/colour.py``, on tensors. Which image
takes part in a step is known on the host, so that nothing waits for the
device.
"""

import torch
from torch import Tensor

from bm_plugins.datasets.transforms.colour import (
    BRIGHTNESS,
    CONTRAST,
    HUE,
    SATURATION,
)
from bm_plugins.datasets.transforms.view_draw import ORDERS

from .to_device import to_device


def grey(images: Tensor) -> Tensor:
    """ITU-R 601-2 grey (B, 1, H, W) of RGB images (B, 3, H, W)."""
    red, green, blue = images.split(1, 1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def jitter_hsv(
    images: Tensor, hue: Tensor, saturation: Tensor, value: Tensor
) -> Tensor:
    """Shift the hue, scale saturation and value.

    Args:
        images (Tensor): RGB (B, 3, H, W), float, 0 to 255.
        hue (Tensor): Shifts in degrees (B, 1, 1, 1).
        saturation (Tensor): Factors (B, 1, 1, 1); the result is cut at 1.
        value (Tensor): Factors (B, 1, 1, 1); the result is cut at 255.

    Returns:
        Tensor: As ``images``.
    """
    red, green, blue = images.unbind(1)
    most, least = images.amax(1), images.amin(1)
    span = most - least
    safe = span.clamp(min=1e-6)
    # In sixths of the circle, from red.
    sixths = torch.where(
        most == red,
        (green - blue) / safe,
        torch.where(
            most == green,
            (blue - red) / safe + 2,
            (red - green) / safe + 4,
        ),
    )
    sixths = sixths + (hue / 60).squeeze(1)
    new_s = span / most.clamp(min=1e-6) * saturation.squeeze(1)
    new_v = (most * value.squeeze(1)).clamp(max=255)
    chroma = new_v * new_s.clamp(max=1)
    # Foley et al.: a channel is v - chroma · max(0, min(k, 4 - k, 1)).
    channels = [
        new_v - chroma * torch.minimum(k, 4 - k).clamp(0, 1)
        for k in ((n + sixths) % 6 for n in (5, 3, 1))
    ]
    return torch.stack(channels, 1)


def jitter_colour(images: Tensor, amounts: Tensor, order: Tensor) -> Tensor:
    """Brightness, contrast, saturation and hue, in each image's order.

    Args:
        images (Tensor): RGB (B, 3, H, W), float, 0 to 255.
        amounts (Tensor): (B, 4), on the host: three factors, and turns of
            the hue.
        order (Tensor): Places in ``ORDERS`` (B,), on the host.

    Returns:
        Tensor: As ``images``.
    """
    device = images.device
    kinds = torch.tensor(ORDERS)[order.long()]
    for place in range(4):
        for kind in range(4):
            rows = (kinds[:, place] == kind).nonzero().flatten()
            if not len(rows):
                continue
            amount = amounts[rows, kind].view(-1, 1, 1, 1)
            amount = to_device(amount, device)
            at = to_device(rows, device)
            changed = _step(images.index_select(0, at), kind, amount)
            images = images.index_copy(0, at, changed)
    return images


def _step(images: Tensor, kind: int, amount: Tensor) -> Tensor:
    if kind == HUE:
        one = torch.ones_like(amount)
        return jitter_hsv(images, 360 * amount, one, one)
    if kind == BRIGHTNESS:
        other = 0
    elif kind == CONTRAST:
        other = grey(images).mean((1, 2, 3), keepdim=True).round()
    else:
        assert kind == SATURATION
        other = grey(images)
    return (amount * images + (1 - amount) * other).clamp(0, 255)
