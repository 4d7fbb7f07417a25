"""The page on faults names tests that exist, with the exit codes that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|")
][2:]
CODES = {"", "0", "0, 4", "1", "2", "3", "4", "6", "130", "137 of the shell", "141"}


def names_in(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_row_names_one_test():
    assert len(ROWS) >= 30
    assert {len(row) for row in ROWS} == {5}
    assert [row for row in ROWS if not TEST.fullmatch(row[4])] == []
    assert {row[3] for row in ROWS} <= CODES


@pytest.mark.parametrize(("file", "name"), sorted(set(TEST.findall(PAGE))))
def test_the_test_that_is_named_exists(file, name):
    assert name.startswith("test_")
    assert name in names_in(ROOT / file)
