"""Where a SwAV model keeps its loss."""

from torch import nn

from bm_plugins.engine.unwrap import unwrap
from bm_plugins.errors import InputError
from bm_plugins.models import GlobalSwAVLoss


def swav_loss_of(model: nn.Module) -> GlobalSwAVLoss:
    """The loss of mmpretrain's SwAV or mmselfsup's, DDP or not.

    Args:
        model (nn.Module): The model.

    Returns:
        GlobalSwAVLoss: Its loss.

    Raises:
        InputError: The model has another one.
    """
    head = getattr(unwrap(model), 'head', None)
    # mmpretrain's head has a method ``loss``, mmselfsup's the module itself.
    loss = getattr(head, 'loss_module', getattr(head, 'loss', None))
    if not isinstance(loss, GlobalSwAVLoss):
        raise InputError(
            "expected SwAV, with model.head.loss=dict(type='GlobalSwAVLoss', "
            f'...); this model has {type(loss).__name__}. Take a swav_*.py '
            'config; for other methods take SwAVScheduleHook and '
            'SwAVMonitorHook out of custom_hooks.'
        )
    return loss
