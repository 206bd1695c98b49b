"""The network of a bundle, and what it says of images."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from mmpretrain.registry import MODELS
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bm_plugins import plugins  # noqa: F401
from bm_plugins.apis.bundle.bundle import Bundle, Reference
from bm_plugins.apis.bundle.bundle_model import BundleModel, build_model
from bm_plugins.apis.bundle.feature_graph import graph_network, write_graph
from bm_plugins.apis.bundle.read_cell import CellReader, small_picture
from bm_plugins.apis.exporting.check import (
    TOLERANCE,
    check_images,
    largest_difference,
    outputs_of,
)
from bm_plugins.compat.quiet_logs import warnings_only
from bm_plugins.datasets import Matek
from bm_plugins.engine.checkpoints.checkpoint_keys import (
    backbone_weights,
    check_classes,
    check_num_classes,
    model_weights,
)
from bm_plugins.engine.features.features import backbone_features
from bm_plugins.errors import InputError, first_line
from bm_plugins.evaluation.linear.probe import LinearProbe, fit_linear_probe
from bm_plugins.models.backbones.tuned_timm_encoder import TunedTimmEncoder
from bm_plugins.utils.progress import track

from .settings import Settings


def make_network(
    settings: Settings,
    checkpoint: dict,
    classes: tuple[str, ...],
    filename: str,
) -> BundleModel:
    """Build the network and fill it, as ``tools/test.py`` does.

    Args:
        settings (Settings): Of the config.
        checkpoint (dict): As loaded.
        classes (tuple[str, ...]): Codes (C,) of the data set.
        filename (str): The checkpoint's path, for the errors.

    Returns:
        BundleModel: In evaluation mode, on the GPU if there is one. The
        classifier is the checkpoint's where the config is supervised.

    Raises:
        InputError: The checkpoint does not fit the config.
    """
    with warnings_only():
        whole = MODELS.build(settings.model)
    check_num_classes(checkpoint, whole, filename)
    if settings.supervised:
        check_classes(checkpoint, classes, filename)
        whole.load_state_dict(model_weights(checkpoint, whole, filename))
    else:
        weights = backbone_weights(checkpoint, whole.backbone, filename)
        whole.backbone.load_state_dict(weights)
    if isinstance(whole.backbone, TunedTimmEncoder):
        whole.backbone.merge()
    fc = whole.head.fc
    model = BundleModel(
        whole.backbone,
        settings.mean,
        settings.std,
        fc.in_features,
        fc.out_features,
    )
    model.fc.load_state_dict(fc.state_dict())
    for name, weight in model.state_dict().items():
        if not weight.isfinite().all():
            raise InputError(
                f'checkpoint {filename}: the weights {name} are not finite. '
                'Give an earlier checkpoint, or train anew.'
            )
    model.eval()
    _check_length(model, settings.size)
    return model.to('cuda' if torch.cuda.is_available() else 'cpu')


@torch.no_grad()
def _check_length(model: BundleModel, size: tuple[int, int]) -> None:
    blank = torch.zeros(1, 3, *size[::-1])
    length = backbone_features(model.backbone, blank).size(1)
    if length != model.fc.in_features:
        raise InputError(
            f'the backbone has {length} features, model.head.in_channels is '
            f'{model.fc.in_features}: set it to that.'
        )


class _Images(Dataset):
    """Image files, read as a bundle reads them."""

    def __init__(self, files: Sequence[str], reader: CellReader) -> None:
        self.files = files
        self.reader = reader

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.reader(self.files[index])


@torch.no_grad()
def network_outputs(
    model: BundleModel,
    files: Sequence[str],
    reader: CellReader,
    batch_size: int = 64,
    num_workers: int = 0,
    title: str = 'Images',
) -> tuple[Tensor, Tensor]:
    """Features and logits of image files, in their order.

    Args:
        model (BundleModel): On any device, in evaluation mode.
        files (Sequence[str]): Image files (N,).
        reader (CellReader): Of the same bundle.
        batch_size (int): Images at once. Defaults to 64.
        num_workers (int): Processes that read. Defaults to 0: this one.
        title (str): For the progress bar.

    Returns:
        tuple[Tensor, Tensor]: Features (N, D) and logits (N, C), float32, on
        the CPU.

    Raises:
        UnreadableImage: An image cannot be read.
    """
    loader = DataLoader(
        _Images(files, reader), batch_size, num_workers=num_workers
    )
    tables = None
    at = 0
    for images in track(loader, title, what='batches'):
        found = model(images.to(model.mean.device))
        if tables is None:  # one place an image: never a second copy of all
            tables = [torch.empty(len(files), part.size(1)) for part in found]
        for table, part in zip(tables, found, strict=True):
            table[at : at + len(part)] = part
        at += len(images)
    return tables[0], tables[1]


def fit_classifier(
    model: BundleModel,
    settings: Settings,
    features: Tensor,
    labels: Tensor,
    say: Callable[[str], object] | None = None,
) -> LinearProbe:
    """Fit the classifier of a frozen network, in place.

    Args:
        model (BundleModel): Its classifier is overwritten.
        settings (Settings): Regularisations to choose from, and how the
            classes are weighted.
        features (Tensor): Training features (N, D), overwritten.
        labels (Tensor): Classes (N,).
        say (Callable, optional): As for :func:`fit_linear_probe`.
    """
    device = model.fc.weight.device
    probe = fit_linear_probe(
        features.to(device),
        labels.to(device),
        model.fc.out_features,
        settings.l2,
        settings.folds,
        say=say,
        class_weight=settings.class_weight,
    )
    with torch.no_grad():
        model.fc.weight.copy_(probe.weight)
        model.fc.bias.copy_(probe.bias)
    return probe


def make_reference(
    dataset: Matek, rows: list[int], features: Tensor
) -> Reference:
    """Features, labels, paths and small pictures of some training cells.

    Args:
        dataset (Matek): The training part, labelled.
        rows (list[int]): Indices (M,) of the cells, as
            :func:`.some_of_each` chooses them.
        features (Tensor): Their features (M, D).

    Returns:
        Reference: The cells; features as float16.
    """
    cells = [dataset.get_data_info(row) for row in rows]
    return Reference(
        features.half().numpy(),
        np.array([cell['gt_label'] for cell in cells]),
        tuple(cell['path'] for cell in cells),
        tuple(
            small_picture(cell['img_path'], cell.get('bits')) for cell in cells
        ),
    )


@torch.no_grad()
def graph_of(bundle: Bundle, say: Callable[[str], None]) -> bytes:
    """For predictions without torch; a bundle does without it, too.

    Args:
        bundle (Bundle): All but its graph.
        say (Callable): Is told why there is none.

    Returns:
        bytes: As of :func:`write_graph`; empty where it cannot be written or
        does not say what PyTorch says of the reference cells.
    """
    model = build_model(bundle)
    try:
        graph = write_graph(model, bundle.size)
        if not graph:
            say(
                'Without onnx, onnxscript and onnxruntime there is no graph '
                'in the bundle, and predictions need torch. pip install onnx '
                'onnxscript onnxruntime'
            )
            return graph
        images = check_images(bundle, 6)
        network = graph_network(graph, bundle.weights)

        def onnx(batch: Tensor) -> tuple[Tensor]:
            return (torch.from_numpy(network(batch.numpy())),)

        found = outputs_of(onnx, images)
        expected = outputs_of(lambda x: model(x)[:1], images)
    except Exception as error:  # the exporter's own have no common class
        say(
            'The network cannot be written as ONNX, so that predictions need '
            f'torch ({type(error).__name__}: {first_line(error)}).'
        )
        return b''
    difference = largest_difference(found, expected)
    if difference <= TOLERANCE:
        return graph
    say(
        f"The network as ONNX differs from PyTorch's by {difference:.1e}, and "
        'predictions need torch.'
    )
    return b''
