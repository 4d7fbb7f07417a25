"""The nightly study of reliability, in small: what it draws, counts, and calls a fault."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from effbayes.models.contract import data_from_series

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "benchmarks" / "reliability"
FALSE_ALARMS = 1e-6
MODULES = ("calibrating", "coverage_map", "covering", "references", "shared", "worlds")


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def study():
    """Its modules import each other by their names, as in the folder that the command runs in."""
    before = list(sys.path)
    sys.path.insert(0, str(HOME))
    yield load(HOME / "__main__.py", "reliability_main")
    sys.path[:] = before
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def writer(study):
    return load(ROOT / "scripts" / "update_reliability.py", "update_reliability")


def cell_of(kind="grid", share=0.5):
    return {"kind": kind, "rows": 6, "share": share, "sets": 1000}


def run_of(*, ok, gated=True):
    return {"model": "m", "design": "d", "ok": ok, "gated": gated, "excursions": {"rate": ["x"]}}


@pytest.mark.parametrize(
    ("parts", "number"),
    [
        ({"calibration": {"runs": [run_of(ok=True)]}}, 0),
        ({"calibration": {"runs": [run_of(ok=False), run_of(ok=True)]}}, 1),
        ({"calibration": {"runs": [run_of(ok=False, gated=False)]}}, 0),
        ({"references": {"failed": []}}, 0),
        ({"references": {"failed": ["a::b", "a::c"]}}, 2),
        ({"references": {"failed": [], "skipped": ["a::b"]}}, 1),
        # A truth that is fixed need not be covered by 95 %; one drawn from the prior must.
        ({"coverage": {"cells": [cell_of(share=0.5)]}}, 0),
        ({"coverage": {"cells": [cell_of("drawn from the prior", 0.95)]}}, 0),
        ({"coverage": {"cells": [cell_of("drawn from the prior", 0.91)]}}, 1),
        ({"coverage": {"cells": [cell_of("reference prior", 0.99)]}}, 1),
        ({"worlds": {"rows": []}}, 0),
    ],
)
def test_what_the_exit_code_is_for(study, parts, number):
    assert len(study.faults(parts)) == number


def test_an_unknown_part_is_refused(study):
    with pytest.raises(SystemExit, match="no part wrong"):
        study.main(["--parts", "wrong"])


@pytest.mark.parametrize(
    ("part", "models", "said"),
    [
        ("calibration,worlds", "drfit", "no model drfit; there are changepoint; drift"),
        ("calibration", "drift; loglinear, robust", "no model loglinear, robust"),
        ("calibration,worlds", "loglinear, robust", "calibration has none of these models"),
    ],
)
def test_an_unknown_model_is_refused(study, part, models, said):
    with pytest.raises(SystemExit, match=said):
        study.main(["--parts", part, "--models", models])


def test_names_of_models_may_have_room(study):
    assert study._names(" drift;loglinear, robust ; ") == ("drift", "loglinear, robust")


def test_tables_that_pooling_would_leave_out_are_refused(study):
    with pytest.raises(SystemExit, match="12 tables are no multiple of 8"):
        next(study.worlds.worlds(12, 0, None, ("hierarchical",)))


def test_runs_are_of_every_model_with_errors_and_without(study):
    runs = study.calibrating.runs()
    models = {"loglinear", "frontier", "records", "changepoint", "drift", "hierarchical"}
    assert {run.model for run in runs if run.design == "exact"} == models
    assert {run.model for run in runs if run.design != "exact"} == models
    assert [run.name for run in runs if not run.gated] == ["drift, errors and bounds"]
    for run in runs:
        with_errors = any(np.any(one.value_sd > 0.0) for one in run.series)
        assert with_errors == (run.design != "exact")


def test_truths_of_a_cell_are_what_it_says(study):
    """The least-squares slopes of tables; false-alarm budget 1e-6 for two statistics."""
    cell = study.covering.Cell(12, errors=True, sigma=0.5, months=6.0)
    rate, series = study.covering.tables(cell, 2000, np.random.default_rng(1))
    assert np.all(rate == 2.0)
    data = [data_from_series(one) for one in series]
    t = np.asarray(data[0].t)[:12]
    slopes = np.array([np.polyfit(t, np.asarray(one.y)[:12], 1)[0] for one in data])
    by_date = 2.0 * study.covering.DATE_SD_DAYS / 365.25
    variance = (0.5**2 + study.covering.VALUE_SD**2 + by_date**2) / np.sum(t**2)
    z = np.sqrt(len(slopes)) * (slopes.mean() + 2.0) / np.sqrt(variance)
    assert abs(z) < stats.norm.isf(FALSE_ALARMS / 4)
    share = stats.chi2.cdf(np.sum((slopes + 2.0) ** 2) / variance, len(slopes))
    assert FALSE_ALARMS / 4 < share < 1.0 - FALSE_ALARMS / 4


def test_truths_of_a_control_are_drawn_from_the_prior(study):
    cell = study.covering.Cell(3, errors=False)
    rate, _ = study.covering.tables(cell, 2000, np.random.default_rng(2))
    found = stats.kstest(np.log(12.0 / rate), stats.norm(np.log(18.0), 1.2).cdf)
    assert found.pvalue > FALSE_ALARMS


def test_every_world_has_its_rate(study):
    """Without noise a table gains its rate over the span, also where the rate breaks."""
    worlds = study.worlds
    for bend, after in ((1.0, worlds.RATE), (worlds.AFTER, worlds.AFTER_BREAK)):
        one = worlds.regular(lambda _: np.zeros(worlds.ROWS), bend)(np.random.default_rng(0))
        y = np.log2(one.value)
        # Dates are whole days.
        assert y[0] - y[-1] == pytest.approx(worlds.RATE * worlds.YEARS, rel=1e-3)
        assert y[-2] - y[-1] == pytest.approx(after * worlds.YEARS / (worlds.ROWS - 1), rel=6e-3)


def test_some_models_go_beside_those_that_a_file_has(study):
    old = {"seed": 1, "versions": {"jax": "1"}, "seconds": 5, "cpu_seconds": 2}
    old["rows"] = [{"model": "a", "x": 1}, {"model": "b", "x": 1}]
    new = old | {"rows": [{"model": "b", "x": 2}], "seconds": 3, "cpu_seconds": 1}
    found = study.merged("worlds", old, new)
    assert found["rows"] == [{"model": "a", "x": 1}, {"model": "b", "x": 2}]
    assert (found["seconds"], found["cpu_seconds"]) == (8, 3)
    # Figures of another seed, or of other versions, are never mixed with these.
    assert study.merged("worlds", old | {"seed": 2}, new) == new
    assert study.merged("worlds", old | {"versions": {}}, new) == new
    assert study.merged("references", old, new) == new


def test_intervals_are_judged(study):
    low, median, high = [0.0, 2.0, np.nan, -3.0], [1.0, 3.0, np.nan, -2.0], [2.0, 4.0, np.nan, -1.0]
    found = study.worlds.judged(np.array([low, median, high]).T[:, None], 1.0)
    assert found["bias"] == pytest.approx(np.mean([0.0, 2.0, -3.0]))
    assert found["bias_se"] == pytest.approx(np.std([0.0, 2.0, -3.0]) / np.sqrt(3.0))
    assert found["coverage"] == pytest.approx(1.0 / 3.0)
    assert (found["too_slow"], found["too_fast"]) == pytest.approx((1.0 / 3.0, 1.0 / 3.0))
    assert found["width"] == pytest.approx(2.0)
    # Four tables of one group that are alike say as much as one.
    alike = np.tile(np.array([low, median, high]).T[[0, 1, 3], None], (1, 4, 1))
    assert study.worlds.judged(alike, 1.0)["bias_se"] == pytest.approx(found["bias_se"])


def test_distances_are_read_from_the_report_of_tests(study, tmp_path):
    tests = tmp_path / "test_two.py"
    tests.write_text(
        "def test_right(record_property):\n"
        "    record_property('worst_z', 2.5)\n"
        "    record_property('compared', 7)\n"
        "def test_wrong():\n"
        "    assert 1 == 2\n"
    )
    found = study.references.references(slow=False, tests=(str(tests),))
    assert found["passed"] == 1
    assert found["failed"] == ["test_two::test_wrong"]
    [one] = found["files"].values()
    assert one == {"passed": 1, "failed": 1, "compared": 7, "worst_z": 2.5}
    with pytest.raises(RuntimeError, match="no tests"):
        study.references.references(slow=False, tests=(str(tmp_path / "missing.py"),))


def test_tests_that_did_not_all_run_are_a_fault(study, tmp_path):
    tests = tmp_path / "test_ended.py"
    tests.write_text(
        "import pytest\ndef test_right():\n    pass\ndef test_end():\n    pytest.exit('x', 3)\n"
    )
    found = study.references.references(slow=False, tests=(str(tests),))
    assert found["failed"] == ["pytest ended with exit code 3"]


def test_the_furthest_of_many_distances_is_no_surprise(study):
    draws = np.abs(np.random.default_rng(3).normal(size=(2000, 50))).max(axis=1)
    below = int(np.sum(draws < study.references.expected_worst(50)))
    assert stats.binomtest(below, 2000, 0.5).pvalue > FALSE_ALARMS


def test_a_small_run_is_written_down(study, tmp_path, monkeypatch):
    monkeypatch.setattr(study.covering, "SIGMAS", (0.5,))
    monkeypatch.setattr(study.covering, "MONTHS", (16.0,))
    monkeypatch.setattr(study.worlds, "MODELS", ("loglinear",))
    monkeypatch.setattr(study.worlds, "WORLDS", study.worlds.WORLDS[:1])
    out = tmp_path / "figures.json"
    options = ["--cell", "60", "--rows", "12", "--tables", "30", "--out", str(out)]
    assert study.main(["--parts", "coverage", *options]) == 0
    study.main(["--parts", "worlds", *options])
    parts = json.loads(out.read_text(encoding="utf-8"))["parts"]
    assert list(parts) == ["coverage", "worlds"]
    assert [cell["kind"] for cell in parts["coverage"]["cells"]] == [
        *["drawn from the prior"] * 2,
        "reference prior",
        *["grid"] * 2,
    ]
    [row] = parts["worlds"]["rows"]
    # The model's own world: all intervals but a few hold the rate.
    assert stats.binomtest(round(30 * row["coverage"]), 30, 0.95).pvalue > FALSE_ALARMS
    assert row["verdict_ok"] == 30
    assert parts["coverage"]["seed"] == 0
    assert parts["coverage"]["versions"]["effbayes"]


def test_the_page_is_that_of_its_figures(writer):
    parts = json.loads(writer.FIGURES.read_text(encoding="utf-8"))["parts"]
    assert writer.PAGE.read_text(encoding="utf-8") == writer.page(parts)
