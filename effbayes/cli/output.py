"""Results on stdout: strict JSON for programs, plain Rich text for people."""

from __future__ import annotations

import json
from typing import Any

import typer


def write_json(document: Any) -> None:
    """Print one JSON document; NaN and infinity are errors, not words."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False))
