"""Views of a batch, each image with its own draw."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, pad

from bm_plugins.datasets.transforms.image_ops import (
    AREA_FROM,
    BRIGHTNESS,
    CONTRAST,
    HUE,
    SATURATION,
)
from bm_plugins.datasets.transforms.view_draw import ORDERS, UNCHANGED

from .sync_free import to_device


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
        saturation, value (Tensor): Factors (B, 1, 1, 1); the results are cut
            at 1 and at 255.
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


def render_views(
    images: Tensor, draws: Tensor, size: int, color_jitter: bool
) -> Tensor:
    """One view of each image: what ``MultiCropViews.render`` does.

    Crop, resize, turn, colour, grey, blur, flip; not rounded in between.

    Args:
        images (Tensor): RGB (B, 3, H, W), uint8, on any device.
        draws (Tensor): (B, 21), on the host; see :func:`as_rows`.
        size (int): Side S of the views in pixels.
        color_jitter (bool): The jitter is brightness, contrast, saturation
            and hue, not that of HSV.

    Returns:
        Tensor: RGB (B, 3, S, S), float32, 0 to 255.
    """
    device = images.device
    jittered, order, greyed, sigma = draws[:, [6, 11, 12, 13]].unbind(1)
    views = crop(images, draws[:, [*range(6), 14]], size)

    def changed(rows: Tensor, function) -> Tensor:
        rows = rows.nonzero().flatten()
        if not len(rows):
            return views
        at = to_device(rows, device)
        return views.index_copy(
            0, at, function(views.index_select(0, at), rows)
        )

    def jitter(some: Tensor, rows: Tensor) -> Tensor:
        amounts = draws[rows, 7:11]
        if color_jitter:
            return jitter_colour(some, amounts, order[rows])
        amounts = to_device(amounts, device)
        return jitter_hsv(some, *amounts[:, :3, None, None, None].unbind(1))

    def stain(some: Tensor, rows: Tensor) -> Tensor:
        # From BGR to RGB.
        both = draws[rows, 15:].view(-1, 2, 3, 1, 1).flip(2)
        factors, shifts = to_device(both, device).unbind(1)
        density = (some.clamp(min=1) / 255).log() * factors - shifts
        return (255 * density.exp()).clamp(max=255)

    views = changed(jittered > 0, jitter)
    unchanged = torch.tensor(UNCHANGED)
    views = changed((draws[:, 15:] != unchanged).any(1), stain)
    views = changed(greyed > 0, lambda some, _: grey(some).expand_as(some))
    return changed(sigma > 0, lambda some, rows: blur(some, sigma[rows]))


def crop(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Crop, resize, turn and flip by one interpolation.

    Args:
        images (Tensor): (B, C, H, W), uint8.
        boxes (Tensor): Top, left, height, width, whether flipped left to
            right and top to bottom, and degrees (B, 7), on the host.
        size (int): Side S of the result in pixels.

    Returns:
        Tensor: (B, C, S, S), float32. Bilinear; where a crop shrinks, the
        mean of that over each pixel's area.
    """
    most = boxes[:, 2:4].amax(1)
    shrinks = most > AREA_FROM * size
    fine = torch.where(shrinks, (most / size).ceil(), 1.0).long()
    if len(fine.unique()) == 1:
        return _crop(images, boxes, size, int(fine[0]))
    views = images.new_empty(
        (*images.shape[:2], size, size), dtype=torch.float32
    )
    for factor in fine.unique().tolist():  # a view is its own image's alone
        rows = (fine == factor).nonzero().flatten()
        at = to_device(rows, images.device)
        some = _crop(images.index_select(0, at), boxes[rows], size, factor)
        views = views.index_copy(0, at, some)
    return views


def _crop(images: Tensor, boxes: Tensor, size: int, fine: int) -> Tensor:
    """Interpolate ``fine`` times as finely along each axis, and average."""
    turned = bool(boxes[:, 6].any())
    boxes = to_device(boxes, images.device)[..., None, None]
    top, left, height, width, horizontal, vertical, angle = boxes.unbind(1)
    # Pixel centres lie at halves.
    at = torch.arange(fine * size, device=images.device)
    at = (at + 0.5) / (fine * size) - 0.5
    u = at * (1 - 2 * horizontal)
    v = at[:, None] * (1 - 2 * vertical)
    if turned:
        cos, sin = angle.deg2rad().cos(), angle.deg2rad().sin()
        u, v = cos * u + sin * v, cos * v - sin * u

    def places(share: Tensor, start: Tensor, length: Tensor, full: int):
        inside = (share + 0.5) * length
        # Beyond a crop's border it goes on, but beside a turned one lies
        # more of the image.
        held = torch.minimum(inside.clamp(min=0.5), length - 0.5)
        inside = torch.where(angle == 0, held, inside)
        return 2 * (start + inside) / full - 1

    x = places(u, left, width, images.size(3))
    y = places(v, top, height, images.size(2))
    shape = (len(images), fine * size, fine * size)
    grid = torch.stack([x.expand(shape), y.expand(shape)], -1)
    views = grid_sample(
        images.float(), grid, padding_mode='reflection', align_corners=False
    )
    return avg_pool2d(views, fine) if fine > 1 else views


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of (B, C, H, W), float; the border goes on as it is.

    ``sigma`` (B,), on the host, are deviations in pixels, above 0; a kernel
    reaches three of them.
    """
    reach = (3 * sigma).round().clamp(min=1)
    most = int(reach.max())
    taps = torch.arange(-most, most + 1)
    weights = (-0.5 * (taps / sigma[:, None]) ** 2).exp()
    weights = weights * (taps.abs() <= reach[:, None])
    weights = weights / weights.sum(1, keepdim=True)
    weights = to_device(weights, images.device)
    weights = weights.t()[:, :, None, None, None]
    for axis, sides in ((2, (0, 0, most, most)), (3, (most, most, 0, 0))):
        padded = pad(images, sides, mode='replicate')
        length = images.size(axis)
        images = sum(
            weight * padded.narrow(axis, tap, length)
            for tap, weight in enumerate(weights)
        )
    return images
