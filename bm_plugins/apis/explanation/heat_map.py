"""Where in a cell's image a score comes from."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from bm_plugins.apis.bundle.bundle_model import BundleModel
from bm_plugins.errors import InputError


@dataclass(frozen=True)
class Heat:
    """A heat map.

    Attributes:
        values (Tensor): (H, W), at least 0, in units of the greatest; all 0
            where nothing speaks for the class.
        grid (tuple[int, int]): Rows and columns that were measured; the rest
            is interpolated.
        of_class (bool): Whether another class would have another map.
    """

    values: Tensor
    grid: tuple[int, int]
    of_class: bool


def heat_map(model: BundleModel, image: Tensor, target: int) -> Heat:
    """Grad-CAM of a convolutional network, attention rollout of a ViT.

    Args:
        model (BundleModel): The network, in evaluation mode.
        image (Tensor): (3, H, W) uint8, RGB.
        target (int): Index of the class.

    Returns:
        Heat: The map, over the image.

    Raises:
        InputError: The network has neither feature maps nor attention that
            can be laid over the image.
    """
    images = image[None].float()
    layer, grid, attentions = _look(model, images)
    if layer is not None:
        values = grad_cam(model, layer, images, target)[0, 0]
    else:
        values = attention_rollout(
            attentions, grid, _class_token(model.backbone)
        )
    measured = tuple(values.shape)
    values = interpolate(
        values[None, None],
        image.shape[1:],
        mode='bilinear',
        align_corners=False,
    )[0, 0]
    most = values.max()
    if most > 0:
        values = values / most
    return Heat(values, measured, of_class=layer is not None)


def grad_cam(
    model: BundleModel, layer: nn.Module, images: Tensor, target: int
) -> Tensor:
    """Grad-CAM, by captum.

    Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks
    via Gradient-based Localization" (arXiv:1610.02391), equations 1 and 2:
    feature maps weighted by the mean gradient of the class's logit, then
    ReLU.

    Args:
        model (BundleModel): The network.
        layer (nn.Module): Gives the feature maps (B, D, h, w).
        images (Tensor): (B, 3, H, W) float, RGB of 0 to 255.
        target (int): Index of the class.

    Returns:
        Tensor: (B, 1, h, w), in logits.
    """
    from captum.attr import LayerGradCam

    cam = LayerGradCam(lambda inputs: model(inputs)[1], layer)
    images = images.clone().requires_grad_()
    return cam.attribute(images, target, relu_attributions=True).detach()


def _class_token(backbone: nn.Module) -> bool:
    """Whether a ViT's features are its class token, not a mean."""
    if hasattr(backbone, 'timm_model'):
        return getattr(backbone.timm_model, 'global_pool', None) == 'token'
    return getattr(backbone, 'out_type', None) == 'cls_token'


@torch.no_grad()
def _look(
    model: BundleModel, images: Tensor
) -> tuple[nn.Module | None, tuple[int, int], list[Tensor]]:
    """The layer of the last feature maps, or the tokens' grid and attention.

    The maps are the last 4-dimensional output, with as many channels as there
    are features: what a convolutional network averages.
    """
    maps: list[tuple[nn.Module, Tensor]] = []

    def keep(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4:
            maps.append((module, output))

    hooks = [
        module.register_forward_hook(keep)
        for module in model.backbone.modules()
    ]
    try:
        with watch_attention() as attentions:
            features, _ = model(images)
    finally:
        for hook in hooks:
            hook.remove()
    # A ViT's first convolution makes its patches, one a token.
    convolved = [out for made, out in maps if isinstance(made, nn.Conv2d)]
    grid = tuple(convolved[0].shape[2:]) if convolved else (0, 0)
    tokens = {attention.shape[-2:] for attention in attentions}
    count = grid[0] * grid[1]
    if count and len(tokens) == 1 and tokens.pop()[0] >= count:
        return None, grid, attentions
    # The last that is not averaged yet; patches of some transformer are none.
    module, output = next(
        (
            (made, out)
            for made, out in reversed(maps)
            if out[0, 0].numel() > 1 and not isinstance(made, nn.Conv2d)
        ),
        (None, features),
    )
    # Channels may come last in others.
    if module is not None and output.size(1) == features.size(1):
        return module, tuple(output.shape[2:]), []
    raise InputError(
        f'{type(model.backbone).__name__}: no heat map. Its features are '
        'neither the mean of feature maps nor from a plain vision transformer.'
    )


class _Watch(TorchFunctionMode):
    """Computes the weights of each attention once more."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def __torch_function__(
        self,
        function: Callable,
        types: Any,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if function is scaled_dot_product_attention:
            query, key = args[:2]
            scale = kwargs.get('scale') or query.size(-1) ** -0.5
            weights = query @ key.transpose(-2, -1) * scale
            self.seen.append(weights.softmax(-1))
        return function(*args, **kwargs)


@contextmanager
def watch_attention() -> Iterator[list[Tensor]]:
    """Record the attention of each layer that uses torch's own.

    mmpretrain's and timm's vision transformers do. Masks are not looked at;
    plain vision transformers have none.

    Yields:
        list[Tensor]: Gets one (B, heads, N, N) a layer, rows sum to 1.
    """
    with _Watch() as watch:
        yield watch.seen


def attention_rollout(
    attentions: Sequence[Tensor], grid: tuple[int, int], class_token: bool
) -> Tensor:
    """How much of each patch reaches the features.

    Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers"
    (arXiv:2005.00928), section 3: the product over the layers of
    (A + I) / 2, A being the mean over the heads. Read where the features are
    taken from: at the class token, or as the mean over the patches.

    Args:
        attentions (Sequence[Tensor]): One (1, heads, N, N) a layer. The
            patches are the last of the N tokens.
        grid (tuple[int, int]): Rows h and columns w of patches.
        class_token (bool): Whether the features are the first token's.

    Returns:
        Tensor: (h, w), the least taken off, as each patch gets some.
    """
    size = attentions[0].size(-1)
    total = torch.eye(size, dtype=torch.float64)
    for attention in attentions:
        mean = attention[0].double().mean(0)
        total = (mean + torch.eye(size, dtype=torch.float64)) / 2 @ total
    patches = grid[0] * grid[1]
    row = total[0] if class_token else total[size - patches :].mean(0)
    flow = row[size - patches :].view(grid).float()
    return flow - flow.min()
