"""Names of a package that are imported when they are asked for."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, places: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Args:
        package (str): Its ``__name__``.
        places (Mapping[str, str]): The module of each name, relative to it.
    """

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(
                f'module {package!r} has no attribute {name!r}'
            )
        found = getattr(import_module(places[name], package), name)
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *places})

    return get, names
