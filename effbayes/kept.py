"""Files kept across processes for speed: sealed with a digest, written whole, never in the way.

What cannot be read back as it was written counts as absent; what cannot be written is not kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

_SEAL = hashlib.sha256().digest_size


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
