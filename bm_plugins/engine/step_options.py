"""Options of a config that make a step faster, or its batch larger."""

from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from bm_plugins.errors import InputError

from .unwrap import unwrap
from .upstream_limits import accumulation_reason

INSTEAD = (
    'Leave it at 1. For a larger batch take more processes; for the same '
    'batch in less memory train in bfloat16 '
    '(optim_wrapper.type=AmpOptimWrapper optim_wrapper.dtype=bfloat16), or '
    'take fewer or smaller views.'
)


class FastStepRunner(Runner):
    """mmengine's Runner with ``channels_last`` and ``compile``.

    Keys at the top of a config, or by ``--cfg-options``:

    - ``channels_last=True`` keeps images and filters channel after channel of
      a pixel, which is how tensor cores take them.
    - ``compile=True``, or a dict of arguments of ``torch.compile``, compiles
      the backbone. mmengine compiles ``train_step`` with everything in it:
      hooks, collectives and the optimiser.
    - ``optim_wrapper.accumulative_counts=N`` sums the gradients of N steps up
      where that changes no method.

    None changes a key of the checkpoints.
    """

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build it, in the wanted order of memory."""
        wanted = self.cfg.get('channels_last', False)
        if not isinstance(wanted, bool):
            raise InputError(
                f'channels_last={wanted}: expected True or False.'
            )
        model = super().build_model(model)
        if wanted:
            model = model.to(memory_format=torch.channels_last)
            _backbone_of(model).register_forward_pre_hook(_channels_last)
        return model

    def _init_model_weights(self) -> None:
        """Draw the same weights in either order of memory."""
        if not self.cfg.get('channels_last', False):
            super()._init_model_weights()
            return
        self.model.to(memory_format=torch.contiguous_format)
        super()._init_model_weights()
        self.model.to(memory_format=torch.channels_last)

    def _maybe_compile(self, target: str) -> None:
        """Compile the backbone, if ``compile`` says so."""
        options = self.cfg.get('compile', False)
        if not options:
            return
        if not isinstance(options, bool | dict):
            raise InputError(
                f'compile={options}: expected True, False or a dict of '
                'arguments of torch.compile.'
            )
        options = {} if options is True else dict(options)
        # Sizes are few and fixed: a graph for each beats one for all.
        options.setdefault('dynamic', False)
        # In place: the keys of the weights stay.
        _backbone_of(unwrap(self.model)).compile(**options)
        self.logger.info(
            'The backbone is compiled in the first steps, which takes a while.'
        )

    def build_optim_wrapper(self, optim_wrapper: Any) -> OptimWrapper:
        """Build it; refuse an accumulation that would change the method."""
        if isinstance(optim_wrapper, dict):
            check_counts(optim_wrapper.get('accumulative_counts', 1))
            kind = optim_wrapper.get('type', 'OptimWrapper')
            if kind == 'OptimWrapper' and 'dtype' in optim_wrapper:
                raise InputError(
                    f'optim_wrapper.dtype={optim_wrapper["dtype"]} is for '
                    'mixed precision; add optim_wrapper.type=AmpOptimWrapper.'
                )
        built = super().build_optim_wrapper(optim_wrapper)
        steps = accumulated(built)
        if steps > 1:
            check_accumulation(unwrap(self.model), steps)
            batch = self.train_dataloader.batch_sampler.batch_size
            self.logger.info(
                f'An update takes the gradients of {steps} steps, of '
                f'{steps * batch * self.world_size} images; --auto-scale-lr '
                'fits the learning rate to that.'
            )
        return built

    def scale_lr(
        self, optim_wrapper: OptimWrapper, auto_scale_lr: dict | None = None
    ) -> None:
        """Scale by the images of an update, those accumulated too."""
        steps = accumulated(optim_wrapper)
        if auto_scale_lr and steps > 1:
            base = auto_scale_lr['base_batch_size'] / steps
            auto_scale_lr = dict(auto_scale_lr, base_batch_size=base)
        super().scale_lr(optim_wrapper, auto_scale_lr)


def _backbone_of(model: nn.Module) -> nn.Module:
    backbone = getattr(model, 'backbone', None)
    if backbone is None:
        raise InputError(
            'channels_last and compile are for models with a backbone; '
            f'{type(model).__name__} has none.'
        )
    return backbone


def _channels_last(_: nn.Module, inputs: tuple) -> tuple:
    images, *rest = inputs
    if isinstance(images, Tensor) and images.dim() == 4:
        images = images.contiguous(memory_format=torch.channels_last)
    return (images, *rest)


def accumulated(optim_wrapper: OptimWrapper) -> int:
    """Steps whose gradients make an update."""
    return getattr(optim_wrapper, '_accumulative_counts', 1)


def check_counts(counts: object) -> None:
    """Raise InputError for a number of steps that is none from 1."""
    if not isinstance(counts, int) or counts < 1:
        raise InputError(
            f'optim_wrapper.accumulative_counts={counts}: expected the steps '
            'whose gradients make an update, 1 or more.'
        )


def is_amid(optim_wrapper: OptimWrapper) -> bool:
    """Whether gradients wait for further steps."""
    return accumulated(optim_wrapper) > 1 and not optim_wrapper.should_update()


def check_accumulation(model: nn.Module, steps: int) -> None:
    """Refuse to accumulate where the loss is of a batch, not of images.

    Raises:
        InputError: More than one, and a part of the model says by its
            ``accumulation_refused`` why not, or is one of upstream's that
            it is known of.
    """
    for module in model.modules():
        reason = accumulation_reason(module)
        if steps > 1 and reason:
            raise InputError(
                f'optim_wrapper.accumulative_counts={steps} would change '
                f'the method: {reason}. {INSTEAD}'
            )


def start_epoch(optim_wrapper: OptimWrapper, first: int, length: int) -> None:
    """Let the epoch's last update take what gradients are left.

    So no gradient waits where a checkpoint of an epoch is saved, and a
    resumed run equals one that never stopped. Upstream counts through all
    epochs. ``first`` batches of ``length`` were trained on already.
    """
    steps = accumulated(optim_wrapper)
    if steps > 1:
        optim_wrapper._inner_count = first
        optim_wrapper._max_counts = length
        optim_wrapper._remainder_counts = length % steps
