"""Tables written in a test, read as a user would read them."""

from pathlib import Path

import pytest


@pytest.fixture
def table(tmp_path):
    """Write rows of CSV to a file; the name is that of the series."""

    def write(*rows: str, name: str = "speedrun") -> Path:
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    return write
