"""mmengine's optimiser wrappers without a wait in every step."""

from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmpretrain.registry import OPTIM_WRAPPERS

from bm_plugins.errors import InputError

HALVES = ('float16', 'bfloat16')


@OPTIM_WRAPPERS.register_module(name='AmpOptimWrapper')
class MixedPrecision(AmpOptimWrapper):
    """mmengine's ``AmpOptimWrapper``, with bfloat16 as it should be.

    It stands in the place of upstream's, so that ``--amp`` takes it. float16
    (the default) scales the loss; torch's scaler then has to ask the device
    in every step whether a gradient overflowed, and the host waits.
    ``dtype='bfloat16'`` has float32's range: no scaling, no wait, and it runs
    on the CPU too.

    Args:
        dtype (str): ``'float16'`` or ``'bfloat16'``. Defaults to float16.
        loss_scale (str or float or dict): As upstream, for float16. Defaults
            to ``'dynamic'``.
        **kwargs: As for ``OptimWrapper``.

    Raises:
        InputError: Another ``dtype``, or float16 without a GPU.
    """

    def __init__(
        self,
        dtype: str | None = None,
        loss_scale: str | float | dict = 'dynamic',
        **kwargs: Any,
    ) -> None:
        dtype = dtype or 'float16'
        if dtype not in HALVES:
            raise InputError(
                f'optim_wrapper.dtype={dtype}: expected float16 or bfloat16.'
            )
        if dtype == 'bfloat16':
            # Upstream's own start insists on a GPU and on a scaler.
            OptimWrapper.__init__(self, **kwargs)
            self._scale_update_param = None
            self.loss_scaler = torch.amp.GradScaler('cpu', enabled=False)
            self.cast_dtype = torch.bfloat16
            return
        if not torch.cuda.is_available():
            raise InputError(
                'optim_wrapper.dtype=float16 needs a GPU; on the CPU set '
                'optim_wrapper.dtype=bfloat16, or train in float32 '
                '(optim_wrapper.type=OptimWrapper).'
            )
        super().__init__(loss_scale, dtype, **kwargs)

    def load_state_dict(self, state_dict: dict) -> None:
        """Load, from a run in float32 or either half."""
        if not state_dict.get('loss_scaler'):  # bfloat16's is empty
            state_dict.pop('loss_scaler', None)
        super().load_state_dict(state_dict)
