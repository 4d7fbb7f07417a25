"""What made a result: digests, versions, the time."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from effbayes.dataset.series import ARRAY_COLUMNS, Series

PACKAGES = ("effbayes", "jax", "jaxlib", "numpyro", "arviz", "numpy")


@cache
def versions() -> dict[str, str]:
    """Versions of the packages that decide a number."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def data_digest(series: Series) -> str:
    """SHA-256 of the rows, bounds, errors and choices of a series, independent of its file."""
    content = {
        "direction": series.direction,
        "label": list(series.label),
        **{name: [_canonical(x) for x in getattr(series, name)] for name in ARRAY_COLUMNS},
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(cell: Any) -> Any:
    if isinstance(cell, np.datetime64):
        return str(cell)
    if isinstance(cell, np.bool_):
        return bool(cell)
    number = float(cell)
    return None if np.isnan(number) else number.hex()


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()
