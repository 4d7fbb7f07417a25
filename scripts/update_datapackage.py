"""Bring checksums, sizes and row counts in data/datapackage.json up to date with its tables.

Run after a table of data/ was edited: ``python scripts/update_datapackage.py``. With ``--check``
nothing is written and the exit code is 1 if something would be.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1] / "data" / "datapackage.json"


def measure(table: Path) -> dict[str, str | int]:
    """Checksum, size in bytes and number of rows (without the header) of one CSV file."""
    content = table.read_bytes()
    rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))
    return {
        "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "bytes": len(content),
        "rows": len(rows) - 1,
    }


def updated(package: Path) -> str:
    """Text of the descriptor as it should be."""
    descriptor: dict[str, Any] = json.loads(package.read_text(encoding="utf-8"))
    for resource in descriptor["resources"]:
        resource.update(measure(package.parent / resource["path"]))
    return json.dumps(descriptor, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> None:
    """Update the descriptor, or only say whether it is up to date."""
    text = updated(PACKAGE)
    if text == PACKAGE.read_text(encoding="utf-8"):
        return
    if "--check" in arguments:
        sys.exit(f"{PACKAGE} is out of date: run scripts/update_datapackage.py")
    PACKAGE.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
