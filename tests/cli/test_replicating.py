"""``calibrate``, ``bootstrap`` and ``sensitivity`` from the command line."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from effbayes.cli import replicating, replicating_text
from effbayes.cli.progress import Reporter
from effbayes.errors import UsageError
from effbayes.models import catalogue
from effbayes.replicates import resampling
from tests.cli.program import run

ALEXNET = ("--domain", "imagenet", "--series", "alexnet-training", "--point-values")


def test_calibrate(tmp_path):
    picture = tmp_path / "ranks.svg"
    folder = tmp_path / "chunks"
    asked = ("calibrate", *ALEXNET, "--sets", "200", "--seed", "3")
    found = run(*asked, "--json", "--plot", picture, "--folder", folder)
    assert found.code == 0
    assert found.json["schema"] == "effbayes.calibration/1"
    assert found.json["verdict"] == "calibrated"
    assert set(found.json["coverage"]) == {"rate", "alpha", "sigma"}
    assert picture.read_text().startswith("<?xml")
    shown = run(*asked, "--folder", folder)
    assert "calibrated: 200 data sets" in shown.out
    other = run("calibrate", *ALEXNET, "--sets", "201", "--folder", folder)
    assert other.code == 4
    assert "holds another job" in other.err


def test_bootstrap():
    found = run("bootstrap", *ALEXNET, "--tables", "200", "--json").json
    assert found["schema"] == "effbayes.bootstrap/1"
    assert found["doubling_time_months"]["posterior"]["median"] == pytest.approx(16.0, rel=0.05)
    shown = run("bootstrap", *ALEXNET, "--tables", "200")
    assert "bootstrap of least squares" in shown.out
    assert shown.code == (5 if found["not_certified"] else 0)


def test_bootstrap_of_tables_that_no_sampler_certified(monkeypatch):
    document = {"not_certified": 1, "schema": "effbayes.bootstrap/1"}
    found = SimpleNamespace(summary=lambda: document)
    monkeypatch.setattr(resampling, "bootstrap", lambda *_, **__: found)
    result = run("bootstrap", *ALEXNET, "--json")
    assert (result.code, result.json) == (5, document)


def test_sensitivity(tmp_path, monkeypatch):
    # Every other model compiles for as long.
    monkeypatch.setattr(catalogue, "MODELS", ("loglinear", "frontier"))
    picture = tmp_path / "tornado.png"
    found = run("sensitivity", *ALEXNET, "--json", "--plot", picture)
    assert found.code in {0, 5}
    assert found.json["schema"] == "effbayes.sensitivity/1"
    assert found.json["power_scaling"]["rate"]["diagnosis"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    again = run("sensitivity", *ALEXNET, "--plot", picture)
    assert again.code == 4
    assert "--force" in again.err


def test_refits_are_shown_where_power_scaling_is_not_to_be_had(capsys):
    def refused():
        raise UsageError("densities were left out")

    found = replicating._power_scaling(SimpleNamespace(power_scaling=refused))
    assert found == {"power_scaling": None, "note": "no power-scaling: densities were left out"}
    row = {
        "kind": "prior", "choice": "as fitted", "change": None, "verdict": "ok",
        "doubling_time_months": {"median": 2.0, "low": 1.0, "high": 3.0},
    }  # fmt: skip
    about = {"domain": None, "series": "mine", "n_obs": 3, "model": "loglinear", "prior": "default"}
    rest = {"sentence": "", "ci": {"prob": 0.95}, "base": row, "refits": [], "left_out": {}}
    replicating_text.sensitivity(about | rest | found)
    assert "note: no power-scaling: densities were left out" in capsys.readouterr().out


def test_work_of_unknown_length_names_its_steps_and_ends(monkeypatch):
    with Reporter(quiet=True) as reporter, reporter.steps("sensitivity") as told:
        told("priors")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Reporter(quiet=False) as reporter:
        with reporter.steps("sensitivity") as told:
            told("all rows")
            [task] = reporter._progress.tasks
            assert (task.fields["state"], task.finished) == ("all rows", False)
        assert (task.fields["state"], task.finished) == ("done", True)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("calibrate", "--domain", "imagenet"), 2, "add --series with one of"),
        (("calibrate", *ALEXNET, "--prior", "reference"), 2, "improper"),
        (("calibrate", *ALEXNET, "--plot", "a.bmp"), 2, "a picture ends with one of"),
        (("calibrate", *ALEXNET, "--model", "nothing"), 2, "no model 'nothing'"),
        (("bootstrap", *ALEXNET, "--model", "records"), 2, "no records"),
        (("bootstrap", *ALEXNET, "--ci", "2"), 2, "between 0 and 1"),
        (("sensitivity", "--data", "missing.csv"), 3, "missing.csv"),
    ],
)
def test_what_is_refused(options, code, said):
    result = run(*options)
    assert (result.code, result.out) == (code, "")
    assert said in result.err
