"""The text of a config as data; nothing in it is executed."""

import ast
from typing import Any


def parse_config(text: str) -> dict[str, Any]:
    """Read the assignments of a config as mmengine writes it out.

    ``name = value`` lines, values made of numbers, texts, lists, tuples,
    dicts and ``dict(key=value)``; anything else is left out, and all of it
    where the text is no Python.
    """
    try:
        statements = ast.parse(text).body
    # What the parser raises on crafted texts: its limits.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    result = {}
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                try:
                    result[name] = _value(value)
                except (ValueError, TypeError, RecursionError):
                    continue
    return result


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=keywords):
            if any(keyword.arg is None for keyword in keywords):
                raise ValueError('**')
            return {keyword.arg: _value(keyword.value) for keyword in keywords}
        case ast.Dict(keys=keys, values=values):
            return {
                ast.literal_eval(key): _value(value)
                for key, value in zip(keys, values, strict=True)
            }
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
    return ast.literal_eval(node)
