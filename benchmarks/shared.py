"""What scripts of this folder share: what figures were made with, and writing them down."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

POST = ("imagenet", "translation", "go", "dota2")
"""Domains of the post that the package began with: eight series."""


def machine(packages: Iterable[str] = ()) -> dict[str, Any]:
    """What figures were made on, and those of some packages that are installed."""
    versions = {name: version(name) for name in packages if installed(name)}
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": cores(),
        "python": platform.python_version(),
    } | ({"versions": versions} if versions else {})


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def installed(package: str) -> bool:
    """Whether a package is there."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def write(path: Path | None, figures: Any, indent: int = 2) -> None:
    """Write figures as JSON, where a file is asked for."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=indent) + "\n", encoding="utf-8")
