"""A bundle's backbone as a folder that timm loads."""

import json
from pathlib import Path

from safetensors.torch import load_file, save
from torch import Tensor

from bm_plugins.apis.bundle.bundle import Bundle
from bm_plugins.apis.bundle.bundle_model import BundleModel
from bm_plugins.errors import InputError
from bm_plugins.utils.files import atomic_write, make_folder

from .check import check_outputs, outputs_of
from .exported_model import describe

# Backbone and depth: both name their weights as torchvision does.
_TWINS = {
    **{('ResNet', n): f'resnet{n}' for n in (18, 34, 50, 101, 152)},
    **{('ResNeXt', n): f'resnext{n}_32x4d' for n in (50, 101)},
}


def timm_twin(bundle: Bundle) -> str:
    """The network of the same form, as ``timm.create_model`` names it.

    Raises:
        InputError: timm has none.
    """
    kind, depth = bundle.backbone.get('type'), bundle.backbone.get('depth')
    if (kind, depth) not in _TWINS:
        raise _no_twin(f'{kind} {depth or ""}'.strip())
    return _TWINS[kind, depth]


def _no_twin(what: str) -> InputError:
    return InputError(
        f'the backbone {what} has no twin in timm (those have: '
        f'{", ".join(_TWINS.values())}, as their papers define them). Export '
        'it by --formats onnx torchscript pt2.'
    )


def export_timm(
    bundle: Bundle, model: BundleModel, folder: str | Path, images: Tensor
) -> float:
    """Write weights and config, checked in timm's own network.

    Load them by ``timm.create_model('local-dir:FOLDER', pretrained=True)``,
    which takes images normalised by the config's ``mean`` and ``std`` (of
    values of 0 to 1) and gives the features (B, D).

    Args:
        bundle (Bundle): The bundle.
        model (BundleModel): Its network.
        folder (str or Path): Gets ``model.safetensors`` and ``config.json``.
        images (Tensor): Images (N, 3, H, W) to check it on, RGB of 0 to 255.

    Returns:
        float: Largest difference of the features.

    Raises:
        InputError: timm has no such network, its features differ, or the
            folder cannot be written.
    """
    import timm

    name = timm_twin(bundle)
    twin = timm.create_model(name, num_classes=0).eval()
    folder = make_folder(folder)
    weights = {
        k: v.contiguous() for k, v in model.backbone.state_dict().items()
    }
    with atomic_write(folder / 'model.safetensors') as partial:
        partial.write_bytes(save(weights, metadata=dict(format='pt')))
        try:
            twin.load_state_dict(load_file(partial), strict=True)
        except RuntimeError as error:
            raise _no_twin(f'of this bundle (not quite a {name})') from error
        expected = outputs_of(lambda batch: model(batch)[:1], images)
        difference = check_outputs(
            f"timm's {name}",
            lambda batch: (twin((batch - model.mean) / model.std),),
            images,
            expected,
        )
    config = _config(bundle, name, expected[0].size(1))
    with atomic_write(folder / 'config.json') as partial:
        partial.write_text(json.dumps(config, indent=2) + '\n')
    return difference


def _config(bundle: Bundle, name: str, dim: int) -> dict:
    """timm's config, with notes that timm passes over."""
    width, height = bundle.size
    # timm's transforms know no resizing by area; bilinear is the nearest.
    known = ('nearest', 'bilinear', 'bicubic', 'lanczos')
    resize = bundle.interpolation
    return dict(
        architecture=name,
        num_classes=0,
        num_features=dim,
        pretrained_cfg=dict(
            num_classes=0,
            input_size=[3, height, width],
            mean=[value / 255 for value in bundle.mean],
            std=[value / 255 for value in bundle.std],
            interpolation=resize if resize in known else 'bilinear',
            crop_pct=1.0,
            crop_mode='squash',
        ),
        notes=dict(
            describe(bundle),
            input='normalised by mean and std, which are of values of 0 to 1',
            outputs='features (batch, num_features)',
        ),
    )
