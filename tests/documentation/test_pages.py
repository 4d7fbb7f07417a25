"""The documentation: built with warnings as errors, its code run, its links leading somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")),
    ROOT / "data" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The pages as Sphinx makes them; a warning, or code that fails, is an error."""
    out = tmp_path_factory.mktemp("pages") / "html"
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return out


def test_pages_with_code_show_what_it_gives(built):
    tutorial = (built / "tutorial.html").read_text(encoding="utf-8")
    assert re.search(r"1[56]\.\d months \(95 %: 1[23]\.\d to 2[01]\.\d\)", tutorial)
    assert tutorial.count('<img alt="../_images/') or tutorial.count("_images/")
    faults = (built / "own-table.html").read_text(encoding="utf-8")
    assert "2 faults" in faults


def test_every_command_is_looked_up(built):
    from typer.main import get_command

    from effbayes.cli.app import app

    page = (built / "cli.html").read_text(encoding="utf-8")
    for name in get_command(app).commands:
        assert f"effbayes {name}" in page


def test_every_public_function_has_its_documentation(built):
    import effbayes as eb

    page = (built / "api.html").read_text(encoding="utf-8")
    functions = [name for name in eb.__all__ if name[0].islower() and not name.startswith("__")]
    missing = [name for name in functions if f'id="effbayes.{name}"' not in page]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    local = [each for each in links if "://" not in each and not each.startswith("mailto:")]
    assert not [each for each in local if not (page.parent / each).exists()]
