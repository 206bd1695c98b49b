"""Keys of a config that nothing reads, and numbers that cannot be."""

import inspect
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, LogProcessor, Runner
from mmengine.runner.loops import TestLoop, ValLoop
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from bm_plugins.errors import InputError

from .config_types import arguments_of, check_type, classes_of, needed_by
from .inherited_variables import check_variables
from .upstream_limits import check_hue

# What configs say at their top beside the arguments of a Runner.
OPTIONS = (
    *('runner_type', 'custom_imports', 'channels_last', 'compile'),
    *('tracker', 'sync_bn', 'find_unused_parameters', 'model_wrapper_cfg'),
    *('activation_checkpointing', 'efficient_conv_bn_eval', 'tta_model'),
    *('tta_pipeline', 'max_tta_batch'),
)
# What mmengine and mmpretrain take out of any dict before it is built.
_MARKS = {'type', '_delete_', '_scope_', '_base_'}
_EXTRA = dict(
    dataloader={
        *('dataset', 'sampler', 'batch_sampler', 'num_batch_per_epoch'),
        *('worker_init_fn', 'collate_fn'),
    },
    cfg={'by_epoch', 'fp16'},
    optim_wrapper={'optimizer', 'constructor', 'paramwise_cfg', 'dtype'},
    hooks={'priority'},
    param_scheduler={'convert_to_iter_based'},
    model={'data_preprocessor', 'train_cfg', 'init_cfg', 'test_cfg'},
    norm_cfg={'requires_grad'},
    policies={'magnitude_key', 'magnitude_range'},
)
_CLOSED = {
    'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    'model.train_cfg': {'augments', 'probs'},
    'custom_imports': {'imports', 'allow_failed_imports'},
}
# Those may have others too.
_KNOWN = dict(
    paramwise_cfg={
        *('bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult'),
        *('flat_decay_mult', 'dwconv_decay_mult', 'dcn_offset_lr_mult'),
        *('bypass_duplicate', 'layer_decay_rate', 'custom_keys'),
    },
    custom_key={'lr_mult', 'decay_mult'},
    metainfo={'classes', 'full_names'},
    dist_cfg={'backend', 'init_backend', 'timeout'},
)
# What versions of mmengine's forerunner read, and what says it today.
_FORMER = dict(
    optimizer='optim_wrapper.optimizer',
    optimizer_config='optim_wrapper',
    lr_config='param_scheduler',
    momentum_config='param_scheduler',
    runner='train_cfg',
    total_epochs='train_cfg.max_epochs',
    checkpoint_config='default_hooks.checkpoint',
    log_config='default_hooks.logger',
    evaluation='val_cfg and val_evaluator',
    resume_from='resume=True and load_from',
)
_DEFAULT_HOOKS = (
    *('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler'),
    'checkpoint',
)
_LEAST = dict(
    batch_size=1, num_workers=0, max_epochs=1, max_iters=1, lr=0, seed=0
)
# Between letters; between the items of a list it does no harm.
_INNER_SPACE = re.compile(r"""[^\s,:\[\](){}'"]\s+[^\s,:\[\](){}'"]""")
_CLIPS = dict(norm=clip_grad_norm_, value=clip_grad_value_)
# What mmengine takes where no type is given.
_UNTYPED = dict(optim_wrapper=OptimWrapper, log_processor=LogProcessor)
# Parts of which mmengine takes all or none.
_WHOLES = dict(
    training=('train_dataloader', 'train_cfg', 'optim_wrapper'),
    validation=('val_dataloader', 'val_cfg', 'val_evaluator'),
    test=('test_dataloader', 'test_cfg', 'test_evaluator'),
)
# What is built of its own arguments alone, without any from where it stands.
_ALONE = ('hooks', 'pipeline', 'transforms', 'val_evaluator', 'test_evaluator')
_NEAR = 0.85  # of two names that are alike, by difflib's ratio


def check_option(cfg: Config, option: str) -> None:
    """Refuse a ``key=value`` whose key leads to nothing.

    Args:
        cfg (Config): The config, before it is merged.
        option (str): As for ``--cfg-options``.

    Raises:
        InputError: There is no value, or no such key; the message has the
            nearest one.
    """
    key, equals, value = option.partition('=')
    if not equals:
        raise InputError(f'--cfg-options {option}: expected key=value.')
    if _INNER_SPACE.search(value):
        raise InputError(
            f'--cfg-options {option}: mmengine would take the spaces out of '
            'the text. Say it in a config file that inherits from this one '
            '(data_root also by BM_DATA_ROOT), or by a name without spaces.'
        )
    if 'dict(' in value or '{' in value:
        raise InputError(
            f'--cfg-options {option}: mmengine takes numbers, texts and lists '
            'of them. Say a dict key by key, as train_cfg.max_epochs=4, or '
            'in a config file that inherits from this one.'
        )
    first, *rest = key.split('.')
    if first not in _top():
        if first in cfg:
            raise InputError(
                f'--cfg-options {key}: {first} is a variable, which the '
                'config has used already, so that setting it changes '
                f'nothing. Set {" or ".join(_uses(cfg, first)) or "it there"}.'
            )
        raise _unknown(f'--cfg-options {key}', first, _top())
    node = cfg.get(first)
    for whole, parts in _WHOLES.items():
        if rest and node is None and first in parts:
            raise InputError(
                f'--cfg-options {key}: the config has no {first}, as it has '
                f'no {whole}. Leave it out, or take another config.'
            )
    for number, name in enumerate(rest, 1):
        where = '.'.join([first, *rest[: number - 1]])
        if isinstance(node, list | tuple):
            if not (name.isdecimal() and int(name) < len(node)):
                raise InputError(
                    f'--cfg-options {key}: {where} is a list of {len(node)}; '
                    f'expected a number from 0 to {len(node) - 1}, not {name}.'
                )
            node = node[int(name)]
        elif isinstance(node, dict):
            node = node.get(name)
        elif node is None and name.isdecimal():
            raise InputError(
                f'--cfg-options {key}: the config has no list {where}. Say it '
                'in a config file that inherits from this one.'
            )
        elif node is not None:
            raise InputError(
                f'--cfg-options {key}: {where} is {node!r} and has no keys. '
                f'Set it itself: {where}=...'
            )


def _uses(cfg: Mapping[str, Any], name: str) -> list[str]:
    """Keys whose value is that of a variable at the top."""
    return [
        where
        for key in cfg
        if key in _top()
        for where, value in _walk(cfg[key], key)
        if _holds(value, cfg[name])
    ]


def _holds(value: Any, part: Any) -> bool:
    """Whether it is that, or a dict that was merged with it."""
    if not (isinstance(part, dict) and part):
        return value == part
    return isinstance(value, dict) and all(
        key == '_delete_' or (key in value and _holds(value[key], item))
        for key, item in part.items()
    )


def _walk(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    yield where, value
    items: Iterable[Any] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, item in items:
        yield from _walk(item, f'{where}.{key}')


def check_config(cfg: Mapping[str, Any]) -> None:
    """Refuse keys that nothing reads and numbers that cannot be.

    What has a ``type`` is compared with the arguments of its class. Names of
    one's own at the top of a config are free, if none is nearly that of an
    option.

    Args:
        cfg (Mapping[str, Any]): A config with all options merged.

    Raises:
        InputError: A key is unknown; the message has the nearest one. Or a
            batch size, number of epochs or such is none, a training,
            validation or test lacks a part, or a variable of the file was
            used by the one that it inherits.
    """
    top = _top()
    if isinstance(cfg, Config):
        check_variables(cfg, _uses)
    if isinstance(cfg.get('custom_hooks'), dict):
        raise InputError('custom_hooks: expected a list, [dict(...)].')
    for whole, parts in _WHOLES.items():
        there = [part for part in parts if cfg.get(part) is not None]
        if there and (missing := [p for p in parts if p not in there]):
            raise InputError(
                f'{" and ".join(missing)}: not set, but a {whole} needs it '
                f'beside {" and ".join(there)}. Set it, or set all of '
                f'{", ".join(parts)} to None.'
            )
    for key, value in cfg.items():
        if key in top:
            _check(value, key, _kind(key))
        elif isinstance(value, dict | list | str) and _uses(cfg, key):
            continue  # a variable
        elif key in _FORMER and value:
            raise InputError(
                f'{key}: nothing reads it any more; say it by '
                f'{_FORMER[key]}. (A variable of your own needs another '
                'name.)'
            )
        elif near := [name for name in _near(key, top) if name[:4] != 'tta_']:
            raise InputError(
                f'{key}: nothing reads it; did you mean {near[0]}? Rename it '
                '(a variable of your own needs another name).'
            )


def _near(name: str, known: Collection[str]) -> list[str]:
    """What a name is a slip of, rather than another name."""
    return get_close_matches(name, sorted(known), 3, _NEAR)


@lru_cache
def _top() -> frozenset[str]:
    return frozenset({*inspect.signature(Runner).parameters, *OPTIONS})


def _kind(key: str) -> str:
    """Which rules hold for what stands at the top of a config."""
    endings = ('dataloader', 'cfg', 'hooks')
    return next((end for end in endings if key.endswith(end)), key)


def _check(value: Any, where: str, kind: str) -> None:
    if isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check(item, f'{where}.{number}', kind)
        return
    if not isinstance(value, dict):
        return
    allowed, is_open = _allowed(value, where, kind)
    if value.get('type') in ('ColorJitter', 'mmpretrain.ColorJitter'):
        check_hue(value, where)
    for key, item in value.items():
        unknown = key not in allowed and key not in _MARKS
        if unknown and (not is_open or _near(key, allowed)):
            raise _unknown(f'{where}.{key}', key, allowed)
        if where == 'default_hooks' and not _is_hook(item):
            others = {*value, *_DEFAULT_HOOKS} - {key}
            raise _unknown(f'{where}.{key} (without a type)', key, others)
        _check_number(item, f'{where}.{key}', key)
        if key in ('init_cfg', 'meta_keys', 'targets'):  # no types
            continue
        if str(value.get('type')).startswith('Albu'):
            continue  # its transforms have names of their own
        inner = 'hooks' if kind == 'hooks' else key
        if kind == 'custom_keys':
            inner = 'custom_key'
        if key.endswith('dataloader'):
            inner = 'dataloader'
        _check(item, f'{where}.{key}', inner)


def _is_hook(value: Any) -> bool:
    return not isinstance(value, dict) or 'type' in value


def _allowed(value: dict, where: str, kind: str) -> tuple[set[str], bool]:
    """Keys that a dict may have, and whether it may have others."""
    if where in _CLOSED:
        return _CLOSED[where], False
    if kind in _KNOWN:
        return _KNOWN[kind], True
    name = value.get('type')
    if kind == 'clip_grad':
        made_of = [_CLIPS.get(name or 'norm', clip_grad_norm_)]
    elif isinstance(name, str):
        made_of = list(classes_of(name))
        if not made_of:
            if kind != 'tracker':  # trackers.py has names for them
                check_type(name, where)
            return set(), True
    elif kind == 'dataloader':
        made_of = [DataLoader]
    elif where in ('train_cfg', 'val_cfg', 'test_cfg'):
        loops = dict(train_cfg=EpochBasedTrainLoop, val_cfg=ValLoop)
        made_of = [loops.get(where, TestLoop)]
        if where == 'train_cfg' and value.get('by_epoch') is False:
            made_of = list(classes_of('IterBasedTrainLoop'))
    elif where in _UNTYPED:
        made_of = [_UNTYPED[where]]
    elif not name:
        return set(), True
    else:
        made_of = [name]  # the class itself
    keys, is_open = set(_EXTRA.get(kind, ())), False
    if where.startswith('model.'):
        keys.add('init_cfg')
    for maker in made_of:
        arguments, any_other = arguments_of(maker)
        keys |= arguments
        is_open |= any_other
    if kind in _ALONE:
        needed = frozenset.intersection(*map(needed_by, made_of))
        if missing := sorted(needed - {*value}):
            raise InputError(f'{where}: {name} needs {", ".join(missing)}.')
    return keys, is_open


def _check_number(value: Any, where: str, key: str) -> None:
    least = _LEAST.get(key)
    if least is None or value is None:
        return
    whole = key != 'lr'
    kinds = int if whole else (int, float)
    right = isinstance(value, kinds) and not isinstance(value, bool)
    if not right or value < least or (not whole and value == least):
        what = f'a whole number from {least}' if whole else 'a number above 0'
        raise InputError(f'{where}={value!r}: expected {what}.')


def _unknown(where: str, name: str, known: Collection[str]) -> InputError:
    names: Sequence[str] = sorted({*known} - {'self', *_MARKS})
    near = get_close_matches(name, [*names, 'type'], 1, 0.6)
    hint = f'did you mean {near[0]}?' if near else f'known: {", ".join(names)}'
    return InputError(f'{where}: there is no key {name}; {hint}')
