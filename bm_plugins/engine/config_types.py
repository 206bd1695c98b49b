"""Types that a config may name, and the arguments that they take."""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any

import mmengine.registry
import mmpretrain.registry
from mmengine.registry import Registry
from torch import nn

from bm_plugins.errors import InputError


def _registries() -> Iterator[Registry]:
    for module in (mmpretrain.registry, mmengine.registry):
        for registry in vars(module).values():
            if isinstance(registry, Registry):
                yield registry


def plain_name(name: str) -> str:
    """A type without the scope, where that is upstream's."""
    return name.rpartition('.')[2] if name.startswith('mmp') else name


def classes_of(name: str) -> Iterator[Any]:
    """What a ``type`` may stand for, in any registry."""
    plain = plain_name(name)
    if '.' in plain:  # another package's
        return
    seen = set()
    for registry in _registries():
        found = registry.module_dict.get(plain)
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            yield found


@cache
def all_types() -> frozenset[str]:
    """Names of all types; upstream imports some of them when asked."""
    for registry in _registries():
        registry.import_from_location()
    return frozenset(n for r in _registries() for n in r.module_dict)


def check_type(name: str, where: str) -> None:
    """Refuse a type that no registry has.

    Args:
        name (str): One that :func:`classes_of` has not found. Those of other
            packages and of torch are free.
        where (str): Its key, for the error.

    Raises:
        InputError: With the nearest one.
    """
    plain = plain_name(name)
    if {'.', '/'} & {*plain} or hasattr(nn, plain) or plain in all_types():
        return
    by_lower = {known.lower(): known for known in sorted(all_types())}
    near = get_close_matches(plain.lower(), by_lower, 1)
    hint = 'name'
    if near:
        hint = f'did you mean {by_lower[near[0]]}? If it is yours, name'
    raise InputError(
        f'{where}: there is no type {name}; {hint} the module that '
        'registers it in custom_imports or BM_IMPORTS.'
    )


@cache
def needed_by(maker: Any) -> frozenset[str]:
    """Names of arguments without a default."""
    try:
        parameters = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):
        return frozenset()
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return frozenset(
        p.name
        for p in parameters
        if p.default is p.empty and p.kind not in free
    )


@cache
def arguments_of(maker: Any) -> tuple[frozenset[str], bool]:
    """Names of arguments, a class's bases' too, and whether any is taken."""
    if not inspect.isclass(maker):
        owners: Iterable[Any] = [maker]
    else:
        owners = [c for c in maker.__mro__ if '__init__' in vars(c)]
    names: set[str] = set()
    for owner in owners:
        if owner in (nn.Module, object):
            break
        function = owner.__init__ if inspect.isclass(owner) else owner
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            break
        names |= {p.name for p in parameters if p.kind != p.VAR_KEYWORD}
        others = [p.name for p in parameters if p.kind == p.VAR_KEYWORD]
        if not others:
            return frozenset(names - {'self'}), False
        if not _hands_on(function, others[0]):
            break
    return frozenset(names - {'self'}), True


def _hands_on(function: Any, name: str) -> bool:
    """Whether ``**name`` goes to the start of a base class."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return False
    return any(
        keyword.arg is None
        and name in {getattr(n, 'id', None) for n in ast.walk(keyword.value)}
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and getattr(call.func, 'attr', None) == '__init__'
        for keyword in call.keywords
    )
