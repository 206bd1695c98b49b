"""The network of a bundle."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.registry import MODELS as ROOT_MODELS
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from bm_plugins import models  # noqa: F401
from bm_plugins.engine.features.features import backbone_features
from bm_plugins.errors import InputError, first_line

from .bundle import Bundle

# Where a bundle's backbone may come from.
_BACKBONES = ('mmpretrain.models.backbones.', 'bm_plugins.models.')
# Arguments by which a backbone would read a file or the network.
LOADERS = ('init_cfg', 'pretrained', 'checkpoint_path', 'checkpoint')


class BundleModel(nn.Module):
    """Normalisation, backbone and linear classifier.

    The paper's equation 2 on the features of a frozen backbone, or a
    supervised network; both have this form.

    Args:
        backbone (nn.Module): From images to feature maps or features.
        mean (tuple[float, ...]): Of red, green and blue, of 0 to 255.
        std (tuple[float, ...]): As ``mean``.
        dim (int): Length D of the features.
        num_classes (int): Number C of classes.
    """

    def __init__(
        self,
        backbone: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        dim: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.fc = nn.Linear(dim, num_classes)
        for name, value in (('mean', mean), ('std', std)):
            value = torch.tensor(value, dtype=torch.float32).view(1, 3, 1, 1)
            self.register_buffer(name, value, persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits of images.

        Args:
            images (Tensor): (B, 3, H, W), RGB of 0 to 255, uint8 or float.

        Returns:
            tuple[Tensor, Tensor]: Features (B, D), logits (B, C), before any
            temperature.
        """
        inputs = (images.to(self.mean.dtype) - self.mean) / self.std
        with full_float32():
            features = backbone_features(self.backbone, inputs)
            return features, self.fc(features)


@contextmanager
def full_float32() -> Iterator[None]:
    """No TF32, whose rounding tells a GPU's probabilities from a CPU's."""
    cudnn = torch.backends.cudnn
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('highest')
    try:
        with cudnn.flags(
            enabled=cudnn.enabled,
            benchmark=cudnn.benchmark,
            deterministic=cudnn.deterministic,
            allow_tf32=False,
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


def build_model(bundle: Bundle) -> BundleModel:
    """The network of a bundle, in evaluation mode on the CPU.

    Raises:
        InputError: Its backbone is no registered one, would load something
            else, or does not fit the weights.
    """
    try:
        check_backbone(bundle.backbone)
    except InputError as error:
        raise InputError(
            f"the bundle's {error} If tools/publish.py wrote it, publish it "
            'anew; else do not trust it.'
        ) from error
    shape = bundle.weights.get('fc.weight', np.empty((0, 0))).shape
    if len(shape) != 2:
        raise InputError(
            f'the bundle has a classifier of shape {tuple(shape)}; expected '
            '(classes, features). Publish it anew.'
        )
    number, dim = shape
    if number != len(bundle.classes):
        raise InputError(
            f'the bundle has {len(bundle.classes)} classes and a classifier '
            f'of {number}. Publish it anew.'
        )
    try:
        backbone = MODELS.build(dict(bundle.backbone))
        model = BundleModel(backbone, bundle.mean, bundle.std, dim, number)
        model.load_state_dict(
            {k: torch.from_numpy(v) for k, v in bundle.weights.items()}
        )
    except InputError:
        raise
    except Exception as error:  # whatever a wrong argument leads to
        raise InputError(
            f"the bundle's backbone {bundle.backbone.get('type')} does not "
            f'fit its weights ({type(error).__name__}: {first_line(error)}). '
            'Publish it anew.'
        ) from error
    return model.eval()


def torch_network(
    bundle: Bundle, device: str | None
) -> Callable[[np.ndarray], np.ndarray]:
    """The network of a bundle by torch.

    Args:
        bundle (Bundle): The bundle.
        device (str, optional): Defaults to None: the first GPU, else the
            CPU.

    Returns:
        Callable: From images (B, 3, H, W) uint8, RGB, to features (B, D)
        float32. InputError where a GPU's memory is too small.

    Raises:
        InputError: There is no such device, or as :func:`build_model`.
    """
    place = _device(device)
    model = build_model(bundle).to(place)

    @torch.inference_mode()
    def features(images: np.ndarray) -> np.ndarray:
        try:
            found = model(torch.from_numpy(images).to(place))[0]
            return found.float().cpu().numpy()
        except torch.cuda.OutOfMemoryError as error:
            raise InputError(
                f'{len(images)} images at once do not fit into the memory of '
                f'{place}. Give a smaller --batch-size.'
            ) from error

    return features


def _device(name: str | None) -> torch.device:
    """The device of a name; of none the first GPU, else the CPU."""
    if name is None:
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f'--device {name}: there is no such device here. Give cpu, or '
            'leave it out.'
        ) from error
    if device.type not in ('cpu', 'cuda'):
        raise InputError(f'--device {name}: expected cpu, cuda or cuda:1.')
    return device


def check_backbone(config: Any) -> None:
    """Refuse a config that is more than a backbone and its numbers.

    A registry imports whatever a ``type`` names, and some arguments make a
    backbone read a file or the network.

    Args:
        config (dict): Of the backbone, nested.

    Raises:
        InputError: A type is not registered, or an argument is not allowed.
            It begins with the key, as ``backbone.type``, without saying whose.
    """
    if not isinstance(config, dict):
        raise InputError(f'backbone: {config!r} is no dict.')
    _check_value(config, 'backbone')
    kind = MODELS.module_dict.get(config.get('type'))
    if kind is None or not f'{kind.__module__}.'.startswith(_BACKBONES):
        raise InputError(
            f'backbone.type: {config.get("type")!r} is no backbone of '
            'mmpretrain or of this project.'
        )


def _check_value(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            name = f'{where}.{key}'
            if key in LOADERS and item:
                raise InputError(f'{name}: a bundle may not load {item!r}.')
            if key == 'type' and not _is_registered(item):
                raise InputError(f'{name}: {item!r} is not registered.')
            _check_value(item, name)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_value(item, where)
    elif isinstance(value, str):
        if set(value) & set('/\\:'):  # a file, a URL or a hub
            raise InputError(
                f'{where}: {value!r} is a path or an address, which a bundle '
                'may not hold.'
            )
    elif value is not None and not isinstance(value, bool | int | float):
        raise InputError(f'{where}: {type(value).__name__} is not allowed.')


def _is_registered(name: Any) -> bool:
    known = (MODELS.module_dict, ROOT_MODELS.module_dict)
    return isinstance(name, str) and any(name in names for names in known)
