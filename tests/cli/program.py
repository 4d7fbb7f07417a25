"""The command line as its callers see it: arguments in, exit code and two streams out."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from effbayes.cli import main

EXECUTABLE = str(Path(sys.executable).with_name("effbayes"))
QUICK = ("--warmup", "50", "--draws", "10", "--chains", "2")
"""The shortest run there is; it cannot converge, and says so with exit code 5."""

NOT_CONVERGED = 5


@dataclass(frozen=True)
class Result:
    """What one call left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return strict_json(self.out)


def strict_json(text: str) -> Any:
    """Parse one document; NaN, infinity, and a key that stands twice are errors."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), pairs
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=once)


def run(*arguments: object) -> Result:
    """Call `main` in this process, so that compiled programs are shared between tests."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    code = _call(arguments, out, err)
    return Result(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


def run_on_terminal(*arguments: object, columns: int = 80, **environment: str) -> tuple[int, str]:
    """Call `main` with both streams on a pseudo-terminal: exit code, and all that it received."""
    controller, terminal = pty.openpty()
    received: list[bytes] = []
    reader = threading.Thread(target=_drain, args=(controller, received))
    reader.start()
    shown = {"COLUMNS": str(columns), "LINES": "60", "TERM": "xterm-256color"} | environment
    with patch.dict(os.environ, shown), os.fdopen(terminal, "w", encoding="utf-8") as stream:
        if "NO_COLOR" not in environment:
            os.environ.pop("NO_COLOR", None)
        code = _call(arguments, stream, stream)
    reader.join(timeout=10)
    os.close(controller)
    return code, b"".join(received).decode().replace("\r\n", "\n")


def _call(arguments: tuple[object, ...], out: Any, err: Any) -> int:
    with (
        patch.object(sys, "argv", ["effbayes", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
        out.flush()
        err.flush()
    assert isinstance(code, int)
    return code


def _drain(controller: int, received: list[bytes]) -> None:
    while True:
        try:
            content = os.read(controller, 65536)
        except OSError:  # the other end was closed
            return
        if not content:
            return
        received.append(content)
