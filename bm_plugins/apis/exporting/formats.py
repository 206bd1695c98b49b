"""A network as a file of another format, and back."""

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .exported_model import INPUT, OUTPUTS

# The lowest that torch's exporter writes; onnxruntime 1.14 and later read it.
OPSET = 18
# Of the example; a check has to use other sizes.
EXAMPLE_BATCH = 2

Run = Callable[[Tensor], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Format:
    """How to write a format and how to run what was written.

    Attributes:
        file (str): Name of the file.
        packages (tuple[str, ...]): Optional ones that it needs.
        write (Callable): From network, example (2, 3, H, W) and notes to the
            file's content.
        load (Callable): From a file to its function of images.
    """

    file: str
    packages: tuple[str, ...]
    write: Callable[[nn.Module, Tensor, Mapping[str, str]], bytes]
    load: Callable[[Path], Run]


def _write_onnx(
    model: nn.Module, example: Tensor, notes: Mapping[str, str]
) -> bytes:
    with warnings.catch_warnings():  # of torch about its own parts
        warnings.simplefilter('ignore')
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes={INPUT: {0: torch.export.Dim('batch')}},
        )
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # this machine's source files
    program.model.metadata_props.update(notes)
    return program.model_proto.SerializeToString()


def _load_onnx(file: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(file), providers=['CPUExecutionProvider']
    )

    def run(images: Tensor) -> tuple[Tensor, ...]:
        outputs = session.run(list(OUTPUTS), {INPUT: images.numpy()})
        return tuple(map(torch.from_numpy, outputs))

    return run


def _write_torchscript(
    model: nn.Module, example: Tensor, notes: Mapping[str, str]
) -> bytes:
    with warnings.catch_warnings():  # deprecated since torch 2.10
        warnings.simplefilter('ignore', DeprecationWarning)
        traced = torch.jit.trace(model, example)
        stream = io.BytesIO()
        torch.jit.save(traced, stream, _extra_files=dict(notes))
    return stream.getvalue()


def _load_torchscript(file: Path) -> Run:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        return torch.jit.load(str(file), map_location='cpu')


def _write_pt2(
    model: nn.Module, example: Tensor, notes: Mapping[str, str]
) -> bytes:
    program = torch.export.export(
        model,
        (example,),
        dynamic_shapes={INPUT: {0: torch.export.Dim('batch')}},
    )
    for node in program.graph.nodes:
        node.meta.pop('stack_trace', None)  # this machine's source files
    stream = io.BytesIO()
    torch.export.save(program, stream, extra_files=dict(notes))
    return stream.getvalue()


def _load_pt2(file: Path) -> Run:
    # A stream, as torch warns of names that do not end in .pt2.
    with open(file, 'rb') as stream, warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'The given buffer is not writable')
        return torch.export.load(stream).module()


# Of one's own, too: docs/extend.md.
FORMATS = dict(
    onnx=Format(
        'model.onnx',
        ('onnx', 'onnxscript', 'onnxruntime'),
        _write_onnx,
        _load_onnx,
    ),
    torchscript=Format(
        'model.torchscript', (), _write_torchscript, _load_torchscript
    ),
    pt2=Format('model.pt2', (), _write_pt2, _load_pt2),
)
