"""Show the progress of long jobs on a terminal.

Estimators log each finished fit to the logger ``skbreath`` at level INFO. A handler of
that logger advances the bar.
"""

import logging
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

__all__ = ["StepProgress"]

_LOGGER = logging.getLogger("skbreath")


class _Advance(logging.Handler):
    """Logging handler that advances a bar by the finished fits of a record."""

    def __init__(self, advance):
        super().__init__(level=logging.INFO)
        self.advance = advance

    def emit(self, record):
        if getattr(record, "finished_fits", 0):
            self.advance(record.finished_fits)


class StepProgress:
    """Show one progress bar per step of a job, on standard error.

    Where standard error is not a terminal, one line per finished step is written
    instead of bars.
    """

    def __init__(self, console=None):
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    @property
    def n_done(self):
        """Number of units done in the latest step."""
        return int(self._bars.tasks[-1].completed)

    def __enter__(self):
        self._bars.start()
        return self

    def __exit__(self, *exc):
        self._bars.stop()

    @contextmanager
    def step(self, description, total):
        """Show a bar of `total` units while the block runs.

        Yields a function to call with the number of units done. Fits that estimators
        log advance the bar too.
        """
        task = self._bars.add_task(description, total=total)

        def advance(units=1):
            self._bars.advance(task, units)

        handler = _Advance(advance)
        level = _LOGGER.level
        _LOGGER.addHandler(handler)
        _LOGGER.setLevel(logging.INFO)
        try:
            yield advance
            self._bars.update(task, completed=total)
            if not self._console.is_terminal:
                seconds = self._bars.tasks[task].elapsed or 0.0
                self._console.print(f"{description}: done ({seconds:.0f} s)")
        finally:
            _LOGGER.removeHandler(handler)
            _LOGGER.setLevel(level)
