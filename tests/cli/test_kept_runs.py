"""``--out``, and what is read back: ``summarize``, ``diagnose``, ``factor``."""

import math
import re

import numpy as np
import pytest
import xarray as xr

from tests.cli.program import NOT_CONVERGED, QUICK, run

GO = ("sample", "--domain", "go", *QUICK)


def test_summarize_prints_what_sample_printed(kept):
    path, sampled = kept
    again = run("summarize", path, "--json")
    assert (again.code, again.err) == (0, "")
    assert again.out == sampled.out


def test_diagnose(kept):
    path, sampled = kept
    result = run("diagnose", path, "--json")
    assert (result.code, result.err) == (0, "")
    found = result.json
    assert found["schema"] == "effbayes.diagnostics/1"
    quantities = found.pop("quantities")
    assert found.items() >= sampled.json["diagnostics"].items()
    assert set(quantities) >= {"rate", "alpha", "sigma"}
    for one in quantities.values():
        assert one["r_hat"] < 1.01
        assert min(one["ess_bulk"], one["ess_tail"]) >= 400
    shown = run("diagnose", path)
    assert shown.code == 0
    assert shown.out.startswith("imagenet/alexnet-training: ok\n")
    assert re.search(r"sigma +1\.00\d\d +\d{3,} +\d{3,}", shown.out)


def test_any_arviz_reads_the_file(kept):
    path, sampled = kept
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        rate = tree["posterior"]["rate"].to_numpy()
    assert math.isclose(np.median(rate), sampled.json["rate_per_year"]["median"], rel_tol=1e-12)


# --- factor ------------------------------------------------------------------------------------


def test_factor_between_dates_is_that_of_the_summary(kept):
    path, sampled = kept
    result = run("factor", path, "--from", "2012-06-01", "--to", "2019-05-28", "--json")
    assert (result.code, result.err) == (0, "")
    found = result.json
    assert found["schema"] == "effbayes.factor/1"
    assert (found["domain"], found["series"]) == ("imagenet", "alexnet-training")
    assert (found["from"], found["to"]) == ("2012-06-01", "2019-05-28")
    assert (found["verdict"], found["ci"]) == ("ok", {"prob": 0.95, "kind": "eti"})
    promised = sampled.json["efficiency_factor"]
    assert found["efficiency_factor"] == {
        kind: promised[kind] for kind in ("trend", "predictive", "observed")
    }


def test_factor_between_labels(kept):
    path, _ = kept
    dates, labels = (
        run("factor", path, "--from", start, "--to", end, "--json").json
        for start, end in (("2012-06-01", "2014-09-17"), ("AlexNet", "GoogLeNet"))
    )
    assert labels["efficiency_factor"] == dates["efficiency_factor"]
    assert (labels["from"], labels["to"]) == ("AlexNet", "GoogLeNet")
    assert labels["span"] == dates["span"] == ["2012-06-01", "2014-09-17"]
    shown = run("factor", path, "--from", "AlexNet", "--to", "2014-09-17")
    assert "alexnet-training, AlexNet (2012-06-01) to 2014-09-17\n" in shown.out
    assert re.search(r"of the trend +\d", shown.out)


def test_factor_backwards_is_the_inverse(kept):
    path, _ = kept
    there = run("factor", path, "--from", "2012-06-01", "--to", "2019-05-28", "--json").json
    back = run("factor", path, "--from", "2019-05-28", "--to", "2012-06-01", "--json").json
    for kind in ("trend", "observed"):
        forward, backward = there["efficiency_factor"][kind], back["efficiency_factor"][kind]
        assert backward["high"] < 1
        assert math.isclose(backward["median"] * forward["median"], 1, rel_tol=1e-2)
        assert math.isclose(backward["low"] * forward["high"], 1, rel_tol=1e-2)


def test_factor_at_a_date_without_a_system(kept):
    path, _ = kept
    found = run("factor", path, "--from", "2012-06-01", "--to", "2013-01-01", "--json").json
    observed = found["efficiency_factor"]["observed"]
    assert observed == {"median": None, "low": None, "high": None, "note": observed["note"]}
    assert "2013-01-01" in observed["note"]
    assert found["efficiency_factor"]["trend"]["low"] > 1
    shown = run("factor", path, "--from", "2012-06-01", "--to", "2013-01-01")
    assert re.search(r"as observed +the table has no system of 2013-01-01", shown.out)


def test_factor_of_one_day_is_one(kept):
    path, _ = kept
    found = run("factor", path, "--from", "AlexNet", "--to", "AlexNet", "--json").json
    assert found["efficiency_factor"]["trend"] == {"median": 1, "low": 1, "high": 1}


def test_factor_past_the_range_of_numbers(kept):
    path, _ = kept
    result = run("factor", path, "--from", "0001-01-01", "--to", "9999-12-31", "--json")
    trend = result.json["efficiency_factor"]["trend"]
    assert trend["high"] is None
    assert "beyond the range" in trend["note"]
    shown = run("factor", path, "--from", "0001-01-01", "--to", "9999-12-31").out
    assert "no progress" not in shown
    assert "beyond the range" in shown


def test_factor_interval(kept):
    path, _ = kept
    ends = ("--from", "2012-06-01", "--to", "2019-05-28", "--json")
    full, half, dense = (
        run("factor", path, *ends, *option).json
        for option in ((), ("--ci", 0.5), ("--interval", "hdi"))
    )
    assert (half["ci"]["prob"], dense["ci"]["kind"]) == (0.5, "hdi")
    widths = [
        one["efficiency_factor"]["trend"]["high"] - one["efficiency_factor"]["trend"]["low"]
        for one in (half, dense, full)
    ]
    assert widths == sorted(widths)


def test_factor_between_dates_as_other_commands_take_them(kept):
    path, _ = kept
    coarse = run("factor", path, "--from", "2012", "--to", "2019-05", "--json").json
    assert (coarse["from"], coarse["to"]) == ("2012", "2019-05")
    assert coarse["span"] == ["2012-07-02", "2019-05-16"]
    exact = run("factor", path, "--from", "2012-07-02", "--to", "2019-05-16", "--json").json
    for kind in ("trend", "predictive"):
        assert coarse["efficiency_factor"][kind] == exact["efficiency_factor"][kind]


@pytest.mark.parametrize("wrong", ["Alexnet", "20120601", "01/06/2012", "", "2012-13-01", "NaT"])
def test_factor_of_neither_a_date_nor_a_label(kept, wrong):
    path, _ = kept
    result = run("factor", path, "--from", wrong, "--to", "2019-05-28", "--json")
    assert (result.code, result.out) == (2, "")
    assert repr(wrong) in result.err
    assert "and no row of imagenet/alexnet-training has that label" in result.err


# --- not converged -----------------------------------------------------------------------------


def test_a_run_that_did_not_converge_says_so_everywhere(quick):
    path, result = quick
    assert (result.code, result.err) == (NOT_CONVERGED, "")
    found = result.json
    assert found["diagnostics"]["verdict"] == "not converged"
    assert any(
        reason.startswith("bulk ESS of rate is") for reason in found["diagnostics"]["reasons"]
    )
    assert found["doubling_time_months"]["median"] > 0
    assert path.is_file()

    again = run("summarize", path, "--json")
    assert (again.code, again.err, again.out) == (NOT_CONVERGED, "", result.out)
    verdict = run("diagnose", path, "--json")
    assert verdict.code == NOT_CONVERGED
    assert verdict.json["reasons"] == found["diagnostics"]["reasons"]
    factor = run("factor", path, "--from", "2020-01-01", "--to", "plain", "--json")
    assert (factor.code, factor.json["verdict"]) == (NOT_CONVERGED, "not converged")


@pytest.mark.parametrize(
    ("command", "options"),
    [("summarize", ()), ("diagnose", ()), ("factor", ("--from", "plain", "--to", "2020-01-01"))],
)
def test_the_verdict_comes_before_the_numbers(quick, command, options):
    path, _ = quick
    result = run(command, path, *options)
    assert (result.code, result.err) == (NOT_CONVERGED, "")
    said = re.search(r"not converge", result.out)
    table = re.search(r"median|R-hat +bulk", result.out)
    assert said.start() < table.start()


def test_figures_that_do_not_exist_are_null(quick, monkeypatch):
    """Draws that are all equal have no R-hat."""
    from effbayes import diagnostics

    nothing = diagnostics.QuantityDiagnostics(math.nan, math.nan, math.nan)
    stuck = diagnostics.Diagnostics({"rate": nothing}, 0, 0, math.nan, ("R-hat of rate is nan",))
    monkeypatch.setattr("effbayes.analysis.diagnose", lambda *_: stuck)
    path, _ = quick
    found = run("diagnose", path, "--json").json
    assert found["quantities"]["rate"] == {"r_hat": None, "ess_bulk": None, "ess_tail": None}
    assert found["bfmi_min"] is None
    assert run("diagnose", path).code == NOT_CONVERGED


# --- where to keep it --------------------------------------------------------------------------


def test_out_never_replaces_a_file_without_force(tmp_path, monkeypatch):
    path = tmp_path / "run.nc"
    path.write_text("precious")
    with monkeypatch.context() as patch:
        patch.setattr("effbayes.fitting.sample", None)  # calling it would be a TypeError
        result = run(*GO, "--out", path, "--json")
    assert (result.code, result.out) == (4, "")
    assert "exists" in result.err
    assert "--force" in result.err
    assert path.read_text() == "precious"

    assert run(*GO, "--out", path, "--force", "--json").code == NOT_CONVERGED
    assert run("summarize", path).code == NOT_CONVERGED
    assert [one.name for one in tmp_path.iterdir()] == ["run.nc"]


@pytest.mark.parametrize(
    ("name", "message"), [("nowhere/run.nc", "nowhere does not exist"), ("", "is a folder")]
)
def test_out_fails_before_sampling_where_nothing_can_be_kept(tmp_path, monkeypatch, name, message):
    monkeypatch.setattr("effbayes.fitting.sample", None)
    result = run(*GO, "--out", tmp_path / name, "--force", "--json")
    assert (result.code, result.out) == (4, "")
    assert message in result.err
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_printed_even_if_the_run_cannot_be_kept(tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("effbayes.outputs.os.link", full)
    result = run(*GO, "--out", tmp_path / "run.nc", "--json")
    assert result.code == 4
    assert "No space left on device" in result.err
    assert result.json["series"] == "alphago-zero-level"
    assert list(tmp_path.iterdir()) == []


def test_out_keeps_one_series(tmp_path):
    result = run("sample", "--domain", "imagenet", *QUICK, "--out", tmp_path / "run.nc")
    assert (result.code, result.out) == (2, "")
    assert "--series" in result.err
    assert list(tmp_path.iterdir()) == []
