"""The repository as the tests of its architecture see it."""

from pathlib import Path

import checkout
import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """Folder of the checkout."""
    return checkout.ROOT


@pytest.fixture(scope="session")
def modules(root: Path) -> dict[str, Path]:
    """Files of the package by dotted name without the package's own: ``models.loglinear``."""
    package = root / "effbayes"
    return {
        ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(package.rglob("*.py"))
    }


@pytest.fixture(scope="session")
def tables(root: Path) -> dict[str, list[list[str]]]:
    """Rows of each Markdown table of ARCHITECTURE.md, header first, by the header's first cell."""
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in [*(root / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            found[rows[0][0]] = [rows[0], *rows[2:]]
            rows = []
    return found
