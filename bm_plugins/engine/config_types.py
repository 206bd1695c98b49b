"""Types that a config may name, and the arguments that they take."""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import mmengine.registry
import mmpretrain.registry
from mmengine.registry import Registry
from torch import nn


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
