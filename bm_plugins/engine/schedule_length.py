"""A schedule is as long as the training, which the config says once."""

import logging
import warnings
from collections.abc import Collection, Sequence
from typing import Any

from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from bm_plugins.errors import InputError

# How far a scheduler is.
_STATE = {
    *('last_step', '_global_step', '_last_value', 'base_values', 'verbose'),
    *('best', 'num_bad_epochs', 'cooldown_counter'),
}
_NONE = object()
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


def settings(schedulers: Sequence[Any]) -> list[dict[str, Any]]:
    """What built schedulers were told, without how far they are."""
    return [
        {k: v for k, v in item.state_dict().items() if k not in _STATE}
        for item in schedulers
    ]


def group_settings(optim_wrapper: OptimWrapper) -> list[dict[str, Any]]:
    """What an optimiser was told, for each group of weights."""
    return [
        {k: v for k, v in group.items() if k != 'params'}
        for group in optim_wrapper.param_groups
    ]


def _set_groups(
    optim_wrapper: OptimWrapper,
    groups: Sequence[dict[str, Any]],
    scheduled: Collection[str],
) -> list[str]:
    """Give an optimiser back its own settings; names those that differed."""
    others = set()
    for group, own in zip(optim_wrapper.param_groups, groups, strict=True):
        for name, value in own.items():
            if name in scheduled or group.get(name, _NONE) == value:
                continue
            group[name] = value
            others.add(name.removeprefix('initial_'))
    return sorted(others)


def _rewind(optim_wrapper: OptimWrapper) -> None:
    """Set what schedulers change back to where training began."""
    for group in optim_wrapper.param_groups:
        for name in [name for name in group if name.startswith('initial_')]:
            group[name.removeprefix('initial_')] = group[name]


def _replay(
    schedulers: Sequence[Any], iters: int, epochs: int, epoch_length: int
) -> None:
    """Step new schedulers as often as a resumed training has."""
    with warnings.catch_warnings():  # that the optimiser has not stepped
        warnings.simplefilter('ignore')
        for iteration in range(1, iters + 1):
            for scheduler in schedulers:
                epoch, rest = divmod(iteration, epoch_length)
                ended = rest == 0 and epoch <= epochs
                if ended or not scheduler.by_epoch:
                    scheduler.step()


def keep_settings(
    runner: Runner,
    planned: list[dict[str, Any]],
    groups: list[dict[str, Any]],
    filename: str,
) -> None:
    """Go on with a training's own settings after a resume, and say so.

    Args:
        runner (Runner): With the state of the checkpoint.
        planned (list[dict]): :func:`settings` before the resume.
        groups (list[dict]): :func:`group_settings` before the resume.
        filename (str): The checkpoint.
    """
    schedulers = runner.param_schedulers or []
    names = {item.param_name for item in schedulers}
    others = _set_groups(runner.optim_wrapper, groups, names)
    before = settings(schedulers)
    fresh = runner.epoch and not any(s._global_step for s in schedulers)
    if planned and (before != planned or fresh or names & {*others}):
        _rewind(runner.optim_wrapper)
        runner.param_schedulers = runner.build_param_scheduler(
            runner._schedule
        )
        length = len(runner.train_dataloader)
        _replay(runner.param_schedulers, runner.iter, runner.epoch, length)
        others.append('param_scheduler')
        was = max(item.get('end', 0) for item in before)
        now = max(item['end'] for item in planned)
        if was != now:
            runner.logger.warning(
                f'The schedule of {filename} was {was} steps long, that '
                f'of this training is {now}: from here on the learning '
                f'rate is that of a training of {now} steps.'
            )
            others.remove('param_scheduler')
    if others:
        runner.logger.warning(
            f'{filename} was trained with other settings '
            f'({", ".join(others)}): from here on those of this training '
            'apply.'
        )
