"""Where the host would wait for a GPU, found without one.

What comes of parameters, buffers and what was copied to a device would be
there; the rest, as the lengths of views, is the host's own. A wait is a value
of the device that the host reads, or a copy that it does not leave to itself.
"""

import traceback
from contextlib import ExitStack

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bm_plugins.engine import ResumableTrainLoop

# Their result's value or size is needed on the host.
READS = {
    '_local_scalar_dense',
    '_unique2',
    'equal',
    'is_nonzero',
    'masked_select',
    'nonzero',
    'repeat_interleave',
    'unique_consecutive',
}
COPIES = {'cpu', 'numpy', 'tolist', 'new_tensor'}


class DeviceWaits:
    """Waits within ``with``: (iteration, what, line) in ``seen``."""

    def __init__(self):
        self.seen = []
        self.iteration = None
        self._device = {}  # storages by address, kept so that none returns

    def __enter__(self):
        self._stack = ExitStack()
        self._stack.enter_context(_Functions(self))
        self._stack.enter_context(_Kernels(self))

    def __exit__(self, *_):
        self._stack.close()

    @property
    def iterations(self):
        return sorted({iteration for iteration, *_ in self.seen})

    def put_on_device(self, tensors):
        for tensor in tree_leaves(tensors):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self._device[storage._cdata] = storage

    def on_device(self, tensors):
        return any(
            t.untyped_storage()._cdata in self._device
            for t in tree_leaves(tensors)
            if isinstance(t, torch.Tensor)
        )

    def note(self, name):
        frames = [
            f
            for f in traceback.extract_stack()
            if '/torch/' not in f.filename and f.filename != __file__
        ]
        # one_hot looks at the values on the CPU, never on a GPU.
        if not any('one_hot(' in (f.line or '') for f in frames[-3:]):
            last = frames[-1]
            where = f'{last.filename}:{last.lineno} {last.line}'
            self.seen.append((self.iteration, name, where))


class _Functions(TorchFunctionMode):
    """Python's calls: copies, and what is made of Python's numbers."""

    def __init__(self, waits):
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = getattr(func, '__name__', '')
        there = self.waits.on_device((args, kwargs))
        leaves = tree_leaves((args, kwargs))
        if name == 'to' and any(isinstance(x, torch.device) for x in leaves):
            if not there and not kwargs.get('non_blocking'):
                self.waits.note(name)
            self.waits.put_on_device(result)
        elif there and (
            name in COPIES
            or (name == 'where' and len(leaves) > _tensors(leaves))
        ):
            self.waits.note(name)
        return result


class _Kernels(TorchDispatchMode):
    """What runs on the device."""

    def __init__(self, waits):
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if self.waits.on_device((args, kwargs)):
            name = func._schema.name.removeprefix('aten::')
            if name in READS or (name == 'index' and self._reads(args[1])):
                self.waits.note(name)
            self.waits.put_on_device(result)
        return result

    def _reads(self, indices):
        """A mask has to be counted, an index of the host's copied."""
        return any(
            index.dtype == torch.bool or not self.waits.on_device(index)
            for index in indices
            if index is not None
        )


def _tensors(leaves):
    return sum(isinstance(x, torch.Tensor) for x in leaves)


class WatchedLoop(ResumableTrainLoop):
    """The training loop, its iterations watched with all their hooks."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.waits = DeviceWaits()

    def run_iter(self, idx, data_batch):
        model = self.runner.model
        self.waits.iteration = self._iter
        self.waits.put_on_device([*model.parameters(), *model.buffers()])
        with self.waits:
            super().run_iter(idx, data_batch)
