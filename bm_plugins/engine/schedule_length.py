"""A schedule is as long as the training, which the config says once."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any

from mmengine.logging import print_log
from mmengine.optim import OptimWrapper

from ..errors import InputError

# After these the value is what it was before, whenever they end.
_WARM_UPS = ('LinearLR', 'ConstantLR', 'LinearMomentum', 'ConstantMomentum')


def fit_schedule(
    schedulers: Sequence[Any],
    max_epochs: int | None,
    max_iters: int,
    key: str,
) -> list[Any]:
    """Let schedulers without an end end with the training; check the others.

    Args:
        schedulers (Sequence): Configs of ``param_scheduler``; what is built
            already is left alone.
        max_epochs (int or None): Length of the training; None where it is
            one of iterations.
        max_iters (int): Likewise.
        key (str): What the config says it by, for the errors.

    Returns:
        list: Configs, each with an ``end``.

    Raises:
        InputError: One ends after the training or, where none follows it,
            before; or has milestones that are never reached. Or it counts
            epochs, and the training has none.
    """
    fitted = []
    for number, config in enumerate(schedulers):
        if not isinstance(config, dict):
            fitted.append(config)
            continue
        by_epoch = config.get('by_epoch', True)
        total = max_epochs if by_epoch else max_iters
        unit = 'epochs' if by_epoch else 'iterations'
        begin, end = config.get('begin', 0), config.get('end')
        name = f'param_scheduler.{number} ({config.get("type")})'
        if total is None:
            raise InputError(
                f'{name} counts epochs, but the training is of {max_iters} '
                f'iterations ({key}). Say by_epoch=False in it, and its '
                'begin, end and milestones, if any, in iterations.'
            )
        said = f'but the training is of {total} {unit} ({key}).'
        cure = (
            'Leave the length out of the schedule, which then follows the '
            'training, or set both to the same.'
        )
        if begin >= total:  # a first try of one epoch
            print_log(
                f'{name} begins after {begin} {unit}, {said} It does not '
                'apply.',
                logger='current',
                level=logging.WARNING,
            )
            fitted.append(dict(config, end=begin + 1))
            continue
        follows = any(
            isinstance(other, dict) and other.get('begin', 0) == end
            for other in schedulers
        )
        warm_up = config.get('type') in _WARM_UPS or follows
        if end is not None and (end > total or (end < total and not warm_up)):
            raise InputError(f'{name} ends after {end} {unit}, {said} {cure}')
        wanted = (total if end is None else end) - begin
        for length in ('T_max', 'total_steps'):
            if config.get(length, wanted) not in (None, wanted):
                raise InputError(
                    f'{name} has {length}={config[length]} and begins after '
                    f'{begin} {unit}, {said} {cure}'
                )
        late = [m for m in config.get('milestones', ()) if begin + m >= total]
        if late:
            raise InputError(
                f'{name} has the milestone {late[0]} and begins after '
                f'{begin} {unit}, {said} Take it out, or train for longer.'
            )
        fitted.append(dict(config, end=total if end is None else end))
    return fitted


def lengths(schedulers: Sequence[Any]) -> list[dict[str, int]]:
    """What of built schedulers depends on the length of the training."""
    names = ('begin', 'end', 'T_max', 'total_iters', 'total_steps')
    return [
        {name: getattr(item, name) for name in names if hasattr(item, name)}
        for item in schedulers
    ]


def rewind(optim_wrapper: OptimWrapper) -> None:
    """Set what schedulers change back to where training began."""
    for group in optim_wrapper.param_groups:
        for name in [name for name in group if name.startswith('initial_')]:
            group[name.removeprefix('initial_')] = group[name]


def replay(schedulers: Sequence[Any], iters: int, epoch_length: int) -> None:
    """Step new schedulers as often as a resumed training has.

    Args:
        schedulers (Sequence): As built, each at its start.
        iters (int): Iterations that were trained.
        epoch_length (int): Iterations of an epoch.
    """
    with warnings.catch_warnings():  # that the optimiser has not stepped
        warnings.simplefilter('ignore')
        for iteration in range(1, iters + 1):
            for scheduler in schedulers:
                if not scheduler.by_epoch or iteration % epoch_length == 0:
                    scheduler.step()
