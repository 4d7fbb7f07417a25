"""Live progress on stderr, when that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from effbayes.cli import output

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Reporter:
    """One bar per series, moved after every chunk of steps.

    Parameters
    ----------
    quiet
        Show nothing, also on a terminal.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        if self._shown:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                Progress,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )

            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[state]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def start(self, name: str, unit: str = "steps") -> Callable[[int, int], None] | None:
        """Begin a bar; returns what is called after each chunk, or None."""
        if self._progress is None:
            return None
        progress = self._progress
        task: TaskID = progress.add_task(output.plain(name), total=None, state="compiling")

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, state=f"{done}/{total} {unit}")

        return report

    @contextmanager
    def steps(self, name: str) -> Iterator[Callable[[str], None]]:
        """A bar for work of unknown length, whose steps are named before they are done."""
        if self._progress is None:
            yield lambda _: None
            return
        progress = self._progress
        task: TaskID = progress.add_task(output.plain(name), total=None, state="compiling")
        yield lambda step: progress.update(task, state=output.plain(step))
        progress.update(task, completed=1, total=1, state="done")
