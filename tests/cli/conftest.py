"""A run that was kept, and tables to sample from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.program import QUICK, Result, run

LABELS = ("[red]x[/red]", "\x1b[31mred\x07", "\u202eabc", "plain")
"""What a terminal or its renderer would obey, and what they would not."""


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A converged run of the main series, and what `sample --json` printed of it."""
    path = tmp_path_factory.mktemp("kept") / "run.nc"
    result = run(
        "sample", "--domain", "imagenet", "--series", "alexnet-training", "--point-values",
        "--seed", 3, "--out", path, "--json",
    )  # fmt: skip
    return path, result


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run that did not converge, of a table of the user's own, and its JSON."""
    folder = tmp_path_factory.mktemp("quick")
    table = folder / "mine.csv"
    rows = zip(LABELS, (100, 50, 20, 11), strict=True)
    lines = [f'"{label}",{2020 + i}-01-01,{value}' for i, (label, value) in enumerate(rows)]
    table.write_text("\n".join(["label,date,value", *lines]) + "\n", encoding="utf-8")
    path = folder / "run.nc"
    return path, run("sample", "--data", table, *QUICK, "--out", path, "--json")


@pytest.fixture(scope="session")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run of three series that did not converge, and its JSON."""
    path = tmp_path_factory.mktemp("pooled") / "pooled.nc"
    several = ("--domain", "translation,go", "--model", "hierarchical")
    return path, run("sample", *several, *QUICK, "--out", path, "--json")


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write a table to a file."""

    def write(content: str | bytes, name: str = "mine.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
