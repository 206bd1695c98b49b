"""Whether gradients of several steps may be summed up."""

from mmengine.optim import OptimWrapper
from torch import nn

from bm_plugins.errors import InputError
from bm_plugins.models import GlobalSwAVLoss, SupConLoss

INSTEAD = (
    'Leave it at 1. For a larger batch take more processes; for the same '
    'batch in less memory train in bfloat16 '
    '(optim_wrapper.type=AmpOptimWrapper optim_wrapper.dtype=bfloat16), or '
    'take fewer or smaller views.'
)
REASONS = {
    GlobalSwAVLoss: 'SwAV assigns the images of a step to the prototypes '
    'with equal shares, and several small assignments are not one of all',
    SupConLoss: 'SupCon contrasts an image with the others of its step, and '
    'in several small batches it would never meet most of them',
}


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

    Args:
        model (nn.Module): The model.
        steps (int): Steps whose gradients make an update.

    Raises:
        InputError: More than one, with SwAV or SupCon.
    """
    for module in model.modules():
        for loss, reason in REASONS.items():
            if steps > 1 and isinstance(module, loss):
                raise InputError(
                    f'optim_wrapper.accumulative_counts={steps} would change '
                    f'the method: {reason}. {INSTEAD}'
                )


def start_epoch(optim_wrapper: OptimWrapper, first: int, length: int) -> None:
    """Let the epoch's last update take what gradients are left.

    So no gradient waits where a checkpoint of an epoch is saved, and a
    resumed run equals one that never stopped. Upstream counts through all
    epochs.

    Args:
        optim_wrapper (OptimWrapper): Of the run.
        first (int): Batches of the epoch that were trained on already.
        length (int): Batches of the epoch.
    """
    steps = accumulated(optim_wrapper)
    if steps > 1:
        optim_wrapper._inner_count = first
        optim_wrapper._max_counts = length
        optim_wrapper._remainder_counts = length % steps
