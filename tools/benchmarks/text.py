"""Results of a benchmark as lines of text."""

from collections.abc import Iterator, Mapping


def lines(result: Mapping, depth: int = 0) -> Iterator[str]:
    """Lines for a person; what is long, as each run's time, is left out.

    Args:
        result (Mapping): Nested dicts of numbers, texts, and lists.
        depth (int): How far to indent. Defaults to 0.

    Yields:
        str: A line a value, or a line for a dict of values alone.
    """
    indent = '  ' * depth
    width = max((len(str(name)) for name in result), default=0)
    for name, value in result.items():
        if isinstance(value, Mapping):
            if any(isinstance(v, Mapping | list) for v in _shown(value)):
                yield f'{indent}{name}'
                yield from lines(value, depth + 1)
            else:
                listed = ', '.join(
                    f'{key} {_text(v)}'
                    for key, v in value.items()
                    if v in _shown(value)
                )
                yield f'{indent}{name:{width}}  {listed}'
        elif isinstance(value, list):
            for row in value:
                if isinstance(row, Mapping):
                    listed = (f'{k} {_text(v)}' for k, v in row.items())
                    yield f'{indent}{name}: {", ".join(listed)}'
        else:
            yield f'{indent}{name:{width}}  {_text(value)}'


def _shown(values: Mapping) -> list:
    """All but the lists of plain numbers."""
    return [
        value
        for value in values.values()
        if not isinstance(value, list)
        or any(isinstance(row, Mapping) for row in value)
    ]


def _text(value: object) -> str:
    if isinstance(value, float):
        return f'{value:.3g}' if abs(value) < 100 else f'{value:,.0f}'
    return str(value)
