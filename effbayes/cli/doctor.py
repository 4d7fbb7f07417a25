"""``effbayes doctor``: what a bug report needs."""

from __future__ import annotations

import platform
import stat
import sys
from pathlib import Path
from typing import Any

from effbayes.cli import options, output, render


def doctor(json: options.Json = False) -> None:
    """Versions, devices and folders, for a bug report."""
    document = {"schema": "effbayes.doctor/1", **_facts()}
    if json:
        output.write_json(document)
    else:
        render.facts(document)


def _facts() -> dict[str, Any]:
    from effbayes import domains, kept, provenance, runtime

    return {
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "versions": provenance.versions(),
        "devices": runtime.device_names(),
        "x64": runtime.has_double_precision(),
        "data_folder": str(domains.data_folder()),
        **_cache(kept.folder()),
    }


def _cache(folder: Path | None) -> dict[str, Any]:
    if folder is None:
        return {"cache_folder": None, "cache_bytes": 0}
    return {"cache_folder": str(folder), "cache_bytes": sum(map(_size, folder.rglob("*")))}


def _size(path: Path) -> int:
    """Bytes of a file; none where another process has removed it since."""
    try:
        found = path.stat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
