"""Files kept across processes for speed: sealed with a digest, written whole, never in the way.

What cannot be read back as it was written counts as absent; what cannot be written is not kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

NO_CACHE, FOLDER = "EFFBAYES_NO_CACHE", "EFFBAYES_CACHE"
"""Environment variables: a non-empty first switches the cache off, the second moves it."""

_SEAL = hashlib.sha256().digest_size


def folder() -> Path | None:
    """Where files are kept; None where the environment forbids it, or the user has no home."""
    if os.getenv(NO_CACHE):
        return None
    from platformdirs import user_cache_path  # noqa: PLC0415 - needed here alone

    try:
        given = os.getenv(FOLDER)
        return Path(given).expanduser() if given else user_cache_path("effbayes")
    except RuntimeError:
        return None


def read(path: Path) -> bytes | None:
    """A file's content as it was written; None where there is none, or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    body, seal = content[:-_SEAL], content[-_SEAL:]
    return body if hashlib.sha256(body).digest() == seal else None


def write(path: Path, body: bytes) -> None:
    """Keep a file, whole or not at all; a folder that cannot be written keeps none."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body + hashlib.sha256(body).digest())
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
