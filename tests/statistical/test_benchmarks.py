"""Scripts that measure: what they write beside their figures. Nothing is measured here."""

from __future__ import annotations

import argparse
import json
import runpy
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Names of a script, as it has them where it is started."""
    monkeypatch.setattr(sys, "path", [str(HOME), *sys.path])
    yield lambda name: runpy.run_path(str(HOME / f"{name}.py"))
    sys.modules.pop("shared", None)


def test_each_part_has_the_load_before_it(script):
    many = script("many")
    loads = iter(range(10))
    measured = many["_measured"]
    measured.__globals__["_load"] = lambda: next(loads)
    told = []

    def ask(_, **task):
        told.append(task["what"])
        return {}

    chosen = argparse.Namespace(parts="sbc, growth", lanes="1,2", sbc=3, platform="cpu")
    found = list(measured(ask, chosen))
    assert list(found[0]) == ["machine"]
    loads_before = [
        {part: options["load_before"] for part, options in each["options"].items()}
        for each in found[1:]
    ]
    assert loads_before == [{"growth": 0}, {"growth": 0}, {"sbc": 1}]
    assert told == ["growth", "growth", "sbc"]
    chosen.parts = "growth,wrong"
    with pytest.raises(SystemExit, match="no part wrong"):
        next(measured(ask, chosen))


@pytest.mark.parametrize("name", ["frontier_study", "pooling_study", "records_study"])
def test_studies_are_read_from_elsewhere(name):
    """`scripts/update_studies.py` and `benchmarks/reliability` take their parts."""
    try:
        assert callable(runpy.run_path(str(HOME / f"{name}.py"))["main"])
    finally:
        sys.path.remove(str(HOME))
        sys.modules.pop("shared", None)


def test_figures_say_what_they_were_made_with(script, tmp_path):
    shared = script("shared")
    made = shared["machine"](("effbayes", "no-such-package"))
    assert list(made["versions"]) == ["effbayes"]
    assert "versions" not in shared["machine"]()
    shared["write"](tmp_path / "new" / "figures.json", made)
    assert json.loads((tmp_path / "new" / "figures.json").read_text(encoding="utf-8")) == made
    shared["write"](None, made)
