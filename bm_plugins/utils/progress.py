"""How far something is: a bar on a terminal, or a line now and then."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

_EVERY = 10.0
_Item = TypeVar('_Item')


class Progress:
    """A bar on a terminal, lines elsewhere; a context manager.

    A log gets the first line after 10 seconds, and further ones ever more
    seldom, each when the time has grown by a fifth: some 20 in an hour. What
    takes less gets none.

    Args:
        total (int): Steps.
        title (str): What is done, as ``'Predicting'``.
        what (str): What is counted. Defaults to ``'images'``.
        shown (bool): Whether anything is said. Defaults to True.
        say (Callable, optional): Takes the lines, as a logger's ``info``;
            there is no bar then. Defaults to None: standard error.
        every (float): Seconds between lines at least. Defaults to 10.
    """

    def __init__(
        self,
        total: int,
        title: str,
        what: str = 'images',
        shown: bool = True,
        say: Callable[[str], object] | None = None,
        every: float = _EVERY,
    ) -> None:
        self.total = total
        self.title = title
        self.what = what
        self.shown = shown
        self.say = say or _to_stderr
        self.every = every
        self.done = 0
        self.with_bar = say is None and shown and sys.stderr.isatty()

    def __enter__(self) -> 'Progress':
        self.start = time.monotonic()
        self.due = self.every
        if self.with_bar:
            self.bar = Bar(
                TextColumn(self.title),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self.bar.start()
            self.task = self.bar.add_task('', total=self.total)
        return self

    def __exit__(self, *_: object) -> None:
        if self.with_bar:
            self.bar.stop()

    def add(self, steps: int = 1) -> None:
        """Count steps that are done."""
        self.done += steps
        if self.with_bar:
            self.bar.update(self.task, completed=self.done)
            return
        passed = time.monotonic() - self.start
        if not self.shown or passed < self.due or not self.done:
            return
        self.due = next_line(passed, self.every)
        left = passed / self.done * max(self.total - self.done, 0)
        self.say(
            f'{self.title}: {self.done} of {self.total} {self.what} after '
            f'{duration(passed)}, about {duration(left)} left'
        )


def track(
    items: Iterable[_Item],
    title: str,
    total: int | None = None,
    what: str = 'images',
    **options: Any,
) -> Iterator[_Item]:
    """Go through items and say how far that is.

    Args:
        items (Iterable): What to go through.
        title (str): As for :class:`Progress`.
        total (int, optional): How many they are. Defaults to None: their
            length.
        what (str): As for :class:`Progress`.
        **options: As for :class:`Progress`.

    Yields:
        The items.
    """
    total = len(items) if total is None else total
    with Progress(total, title, what, **options) as progress:
        for item in items:
            yield item
            progress.add()


def next_line(passed: float, every: float = _EVERY) -> float:
    """When a log is due its next line, in seconds from the start."""
    return passed + max(every, passed / 5)


def duration(seconds: float) -> str:
    """Seconds in words, as ``'48 s'``, ``'3 min 20 s'``, ``'2 h 05 min'``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f'{minutes // 60} h {minutes % 60:02} min'
    return f'{minutes} min {rest:02} s' if minutes else f'{rest} s'


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
