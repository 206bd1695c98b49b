"""What ends a run in one line: a user's error, or a signal."""

from collections.abc import Iterable


class InputError(ValueError):
    """Something the user gave is wrong; the message says what to do.

    Raise it for a missing file, a bad manifest, a checkpoint that does not
    fit: the command line tools print its message without a traceback and exit
    with status 2. The message names the file or key at fault, what was
    expected and what to do.
    """


class UnreadableImage(InputError):
    """An image file is missing or cannot be decoded."""


class Preempted(Exception):
    """The machine is wanted back; a checkpoint was saved.

    The command line tools print its message and exit with status 75.
    """


def listed(items: Iterable[str], most: int = 3) -> str:
    """The first of many names, and how many more there are."""
    items = list(items)
    more = f' and {len(items) - most} more' if len(items) > most else ''
    return ', '.join(items[:most]) + more


def first_line(error: BaseException) -> str:
    """The first line of what another library's error says, or its name."""
    return (str(error).splitlines() or [type(error).__name__])[0]
