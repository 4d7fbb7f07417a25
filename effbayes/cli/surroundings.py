"""What a process may lack: streams that were closed, a home, and a signal that Python obeys."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AS_CTRL_C = ("SIGTERM", "SIGHUP")
"""Signals that end a run as Ctrl-C does, so that no temporary file is left behind."""


@contextmanager
def borne() -> Iterator[None]:
    """A block that runs whatever the process was started with; signals are given back after it."""
    _open_streams()
    _have_a_home()
    before = _obey_signals()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _open_streams() -> None:
    """Put nothing in the place of a closed stream: a file that took its number would be written to.

    Libraries complain to the third stream by its number, whatever is open under it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The system gives the lowest number that is free.
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until the end


def _have_a_home() -> None:
    """Where the user has no home, give one in which nothing can be kept.

    As in a container with a number for a user: Bokeh, for one, cannot be imported without.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.devnull


def _obey_signals() -> dict[signal.Signals, signal.Handlers]:
    """End as on Ctrl-C; what was set to be ignored, as by nohup, is ignored on."""
    before: dict[signal.Signals, signal.Handlers] = {}
    if threading.current_thread() is not threading.main_thread():
        return before
    for name in AS_CTRL_C:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            before[number] = signal.SIG_DFL
            signal.signal(number, signal.default_int_handler)
    return before
