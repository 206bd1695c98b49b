"""Files of other formats from a bundle, each checked against PyTorch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bm_plugins.apis.bundle.bundle import Bundle
from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.errors import InputError
from bm_plugins.utils.environment import need_packages
from bm_plugins.utils.files import atomic_write, make_folder

from .check import check_outputs, outputs_of
from .exported_model import ExportModel, describe
from .formats import EXAMPLE_BATCH, FORMATS, Format
from .timm_folder import export_timm, timm_twin


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        name (str): Of the format.
        file (Path): The file; of timm the folder.
        difference (float): The largest from PyTorch.
    """

    name: str
    file: Path
    difference: float


def check_formats(bundle: Bundle, names: Sequence[str]) -> None:
    """Find out what cannot work before any work is done.

    Args:
        bundle (Bundle): What is to be exported.
        names (Sequence[str]): Formats.

    Raises:
        InputError: A format is unknown or needs a package, or timm has no
            such backbone.
    """
    for name in names:
        if name not in (*FORMATS, 'timm'):
            raise InputError(
                f'--formats {name}: unknown; choose from '
                f'{" ".join(FORMATS)} timm.'
            )
        packages = FORMATS[name].packages if name in FORMATS else ('timm',)
        need_packages(f'--formats {name}', *packages)
    if 'timm' in names:
        timm_twin(bundle)


def export(
    bundle: Bundle, names: Sequence[str], folder: str | Path, images: Tensor
) -> Iterator[Exported]:
    """Write formats; a file is there only if it agrees with PyTorch.

    Args:
        bundle (Bundle): The bundle.
        names (Sequence[str]): Formats: those of ``FORMATS``, or ``timm``.
        folder (str or Path): Where to write.
        images (Tensor): Images (N, 3, H, W) to check on, RGB of 0 to 255.

    Yields:
        Exported: One a format.

    Raises:
        InputError: As :func:`check_formats`; a format cannot express the
            network or gives other outputs, or the folder cannot be written.
    """
    check_formats(bundle, names)
    folder = make_folder(folder)
    network = build_model(bundle)
    model = ExportModel(network, bundle.temperature).requires_grad_(False)
    expected = outputs_of(model, images)
    for name in names:
        if name == 'timm':
            file = folder / 'timm'
            difference = export_timm(bundle, network, file, images)
        else:
            kind = FORMATS[name]
            file = folder / kind.file
            content = _content(name, kind, model, bundle)
            with atomic_write(file) as partial:
                partial.write_bytes(content)
                difference = check_outputs(
                    kind.file, kind.load(partial), images, expected
                )
        yield Exported(name, file, difference)


def _content(
    name: str, kind: Format, model: ExportModel, bundle: Bundle
) -> bytes:
    width, height = bundle.size
    example = torch.full((EXAMPLE_BATCH, 3, height, width), 128.0)
    try:
        return kind.write(model, example, describe(bundle))
    except Exception as error:  # whatever a format cannot express
        reason = str(error).strip().splitlines()[:1]
        raise InputError(
            f'{name} cannot express the backbone '
            f'{bundle.backbone.get("type")} ({type(error).__name__}: '
            f'{"".join(reason)}). Take another of --formats '
            f'{" ".join(FORMATS)} timm.'
        ) from error
