"""The one place that writes to stdout, and what makes text fit for it."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import sys
from typing import Any

from effbayes.errors import EffbayesError


class ReaderGoneError(Exception):
    """Whoever read stdout has closed it; nobody is left to be told."""


class Sheet(io.StringIO):
    """Text on its way to stdout, which looks like stdout to whoever asks what it can show."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Encoding of stdout."""
        return getattr(sys.stdout, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Whether stdout is a terminal."""
        return sys.stdout is not None and sys.stdout.isatty()


def write(text: str) -> None:
    """Write to stdout at once.

    Raises
    ------
    ReaderGoneError
        The reader of a pipe has gone.
    EffbayesError
        The text cannot be written, as on a full disk.
    """
    if sys.stdout is None:  # closed by the caller: >&-
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        _abandon()
        raise ReaderGoneError from error
    except OSError as error:
        _abandon()
        reason = error.strerror or error
        raise EffbayesError(f"standard output cannot be written: {reason}") from error


def write_json(document: Any) -> None:
    """Print one JSON document; NaN and infinity are errors, not words."""
    write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def nulls(value: Any) -> Any:
    """The same document with null in place of NaN and infinity."""
    if isinstance(value, dict):
        return {name: nulls(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [nulls(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plain(text: str) -> str:
    r"""Text with nothing in it that a terminal would obey: such characters are written out.

    Examples
    --------
    >>> print(plain("not \x1b[31mred"))
    not \x1b[31mred
    """
    return "".join(
        char
        if char.isprintable() or char in "\n\xa0"
        else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )


def bear_any_text() -> None:
    """Write out what the encoding of a stream lacks, rather than end with a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _abandon() -> None:
    """Keep the interpreter from complaining when it flushes what could not be written."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
