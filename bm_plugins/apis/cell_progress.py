"""How far a prediction is: a bar, or a line now and then."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

_LINES = 10  # of a log


class CellProgress:
    """A bar on a terminal, ten lines in a log; a context manager.

    Args:
        total (int): Cells.
        shown (bool): Whether anything is said.
    """

    def __init__(self, total: int, shown: bool = True) -> None:
        self.total = total
        self.shown = shown
        self.done = self.said = 0

    def __enter__(self) -> 'CellProgress':
        self.start = time.monotonic()
        self.bar = None
        if self.shown and sys.stderr.isatty():
            self.bar = Progress(
                TextColumn('Predicting'),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self.bar.start()
            self.task = self.bar.add_task('', total=self.total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def add(self, cells: int) -> None:
        """Count cells that are done."""
        self.done += cells
        if self.bar is not None:
            self.bar.update(self.task, completed=self.done)
        elif self.shown and self.done * _LINES // self.total > self.said:
            self.said = self.done * _LINES // self.total
            rate = self.done / max(time.monotonic() - self.start, 1e-3)
            left = (self.total - self.done) / rate
            print(
                f'{self.done} of {self.total} cells, {rate:.0f} a second, '
                f'{left:.0f} s left',
                file=sys.stderr,
                flush=True,
            )
