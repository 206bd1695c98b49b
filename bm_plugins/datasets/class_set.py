"""Which class codes can be used, and which was meant."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from unicodedata import normalize

from bm_plugins.errors import InputError

_SEPARATORS = ',;|/\\"'  # of tables and paths


def check_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Refuse codes that a folder, a table or another code stands against.

    Args:
        classes (Sequence[str]): Codes, in label order. Spaces within them,
            accents, digits and dots are as good as letters.

    Returns:
        tuple[str, ...]: The codes, accents composed: a folder's name may have
        them decomposed, which looks the same.

    Raises:
        InputError: None is given; one is empty, padded, begins with a dot as
            hidden folders do, holds a separator or a control character, or is
            there twice, be it in another case.
    """
    if isinstance(classes, str) or not classes:
        raise InputError(
            f'classes {classes!r}: expected a list of codes, as the class '
            'folders are named (--classes, in a config class_set=dict('
            'classes=...)).'
        )
    return _checked(tuple(map(str, classes)))  # a config may say 1


@lru_cache
def _checked(classes: tuple[str, ...]) -> tuple[str, ...]:
    codes, seen = [], {}
    for code in classes:
        code = normalize('NFC', code)
        wrong = ''
        if not code or code != code.strip():
            wrong = 'is empty, or begins or ends with a space'
        elif code[0] == '.':
            wrong = 'begins with a dot, as hidden folders do'
        elif not code.isprintable() or {*code} & {*_SEPARATORS}:
            wrong = f'holds one of {_SEPARATORS} or a letter without a shape'
        elif code.casefold() in seen:
            other = seen[code.casefold()]
            wrong = 'is there twice'
            if other != code:
                wrong = f'differs from {other} by its case alone'
        if wrong:
            raise InputError(
                f'class {code!r} {wrong}. Give each class a code of its own, '
                'and its folder the same name.'
            )
        seen[code.casefold()] = code
        codes.append(code)
    return tuple(codes)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`` (did you mean X?)``, or nothing where none is near.

    Args:
        name (str): What was found.
        names (Iterable[str]): What would have been right.
    """
    by_fold = {normalize('NFC', n).casefold(): n for n in names}
    near = get_close_matches(
        normalize('NFC', name).casefold(), by_fold, n=1, cutoff=0.5
    )
    return f' (did you mean {by_fold[near[0]]}?)' if near else ''
