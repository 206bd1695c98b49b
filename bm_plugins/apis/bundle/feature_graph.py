"""A bundle's network as an ONNX graph, so that predicting needs no torch."""

import os
import re
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from bm_plugins.errors import InputError, first_line

from .bundle import Bundle

if TYPE_CHECKING:
    from .bundle_model import BundleModel

# The lowest that torch's exporter writes; onnxruntime 1.14 and later read it.
OPSET = 18
INPUT, OUTPUT = 'images', 'features'
_PREFIX = 'model.'
# The graph holds no weights: it names the bundle's. A name of a file in their
# place, which onnxruntime would read, is refused.
_LOCATION = b'location\x12\x07weights\x70\x01'


def write_graph(model: 'BundleModel', size: tuple[int, int]) -> bytes:
    """The network from images to features, without its weights.

    Args:
        model (BundleModel): On the CPU, in evaluation mode.
        size (tuple[int, int]): Width and height of the images.

    Returns:
        bytes: An ONNX model whose initializers are the model's state by
        name; empty where the packages of tools/export.py are not installed.
    """
    import torch
    from torch import Tensor, nn

    if not (all(map(find_spec, ('onnx', 'onnxscript', 'onnxruntime')))):
        return b''

    class Features(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, images: Tensor) -> Tensor:
            return self.model(images)[0]

    example = torch.zeros(2, 3, *size[::-1])
    with warnings.catch_warnings():  # of torch about its own parts
        warnings.simplefilter('ignore')
        program = torch.onnx.export(
            Features().eval(),
            (example,),
            dynamo=True,
            optimize=False,  # would merge weights; onnxruntime does it
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={INPUT: {0: torch.export.Dim('batch')}},
        )
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # this machine's source files
    proto = program.model_proto
    state = model.state_dict()
    for weight in proto.graph.initializer:
        if weight.name.removeprefix(_PREFIX) in state:
            weight.ClearField('raw_data')
            weight.external_data.add(key='location', value='weights')
            weight.data_location = weight.EXTERNAL
    return proto.SerializeToString()


def graph_runs(bundle: Bundle) -> bool:
    """Whether the bundle has a graph, and this machine can run it."""
    return bool(bundle.graph) and find_spec('onnxruntime') is not None


def graph_network(
    graph: bytes, weights: Mapping[str, np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """The network of a bundle on the CPU, by onnxruntime.

    Args:
        graph (bytes): Of the bundle; not empty.
        weights (Mapping[str, np.ndarray]): Of the bundle.

    Returns:
        Callable: From images (B, 3, H, W) uint8, RGB, to features (B, D)
        float32.

    Raises:
        InputError: The graph does not fit the bundle's weights.
    """
    import onnxruntime

    named = graph.count(b'location')
    if named != len(re.findall(re.escape(_LOCATION), graph)):
        raise InputError(
            "the bundle's graph names other files than the bundle itself. Do "
            'not trust it.'
        )
    options = onnxruntime.SessionOptions()
    # As torch takes it, and the launch scripts set it; 0: all cores.
    threads = os.environ.get('OMP_NUM_THREADS', '')
    options.intra_op_num_threads = int(threads) if threads.isdigit() else 0
    options.log_severity_level = 4  # what is wrong is raised, too
    values = {
        _PREFIX + name: onnxruntime.OrtValue.ortvalue_from_numpy(value)
        for name, value in weights.items()
        # A name, and the tag of the field that follows it.
        if f'{_PREFIX}{name}\x6a'.encode() in graph
    }
    options.add_external_initializers([*values], [*values.values()])
    try:
        session = onnxruntime.InferenceSession(
            graph, options, providers=['CPUExecutionProvider']
        )
    except Exception as error:  # onnxruntime's own have no common class
        raise InputError(
            f"the bundle's graph does not fit its weights "
            f'({type(error).__name__}: {first_line(error)}). Publish it anew.'
        ) from error

    def features(images: np.ndarray) -> np.ndarray:
        return session.run([OUTPUT], {INPUT: images.astype(np.float32)})[0]

    return features
