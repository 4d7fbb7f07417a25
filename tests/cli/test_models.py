"""Every model from the command line: one series, several pooled, and side by side."""

from __future__ import annotations

import pytest

from effbayes.cli import render
from tests.cli.program import QUICK, run

ALEXNET = ("--domain", "imagenet", "--series", "alexnet-training", "--point-values")
POOLED = ("--domain", "translation,go", "--model", "hierarchical")


@pytest.mark.parametrize(
    ("model", "rows", "own"),
    [
        ("frontier", 16, {"eta"}),
        ("records", 6, set()),
        ("changepoint", 6, {"rate_before", "rate_after", "changepoint"}),
        ("drift", 6, {"rate_mid", "rate_end", "drift"}),
    ],
)
def test_a_model_by_name(model, rows, own):
    found = run("sample", *ALEXNET, "--model", model, *QUICK, "--json").json
    assert (found["model"], found["n_obs"]) == (model, rows)
    assert set(found["parameters"]) == {"alpha", "sigma"} | own
    if model == "changepoint":
        assert {"date", "prob_faster_after", "rate_ratio"} <= set(found["change"])
    if model == "drift":
        assert found["drift"]["rate"][-1]["date"] == found["span"][1]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("changepoint", ("date of the change", "P(faster after the change)")),
        ("drift", ("rate on 2012-06-01", "doubling time on 2019-05-28")),
    ],
)
def test_what_only_one_model_says_is_shown(model, words):
    shown = run("sample", *ALEXNET, "--model", model, *QUICK).out
    assert [each for each in words if each not in shown] == []


def test_rows_asked_for_win_over_the_models_own():
    chosen = ("--where", "frontier", "--model", "frontier")
    assert run("sample", *ALEXNET, *chosen, *QUICK, "--json").json["n_obs"] == 6
    refused = run("sample", *ALEXNET, "--where", "all", "--model", "records", *QUICK)
    assert refused.code == 3
    assert "the model frontier, which uses all rows" in refused.err


def test_several_series_are_pooled(pooled):
    _, result = pooled
    assert result.code == 5
    found = result.json
    assert found["schema"] == "effbayes.summaries/1"
    assert [each["series"] for each in found["summaries"]] == [
        "seq2seq", "gnmt", "alphago-zero-level",
    ]  # fmt: skip
    assert found["population"]["doubling_time_new_months"]["median"] > 0.0


def test_a_pooled_run_is_read_whole_and_by_series(pooled):
    path, made = pooled
    whole = run("summarize", path, "--json")
    assert (whole.code, whole.json) == (5, made.json)
    shown = run("summarize", path)
    assert "doubling time of a domain not yet seen" in shown.out
    assert "all series: Pooled with 2 other series" in shown.out
    assert run("diagnose", path).code == 5
    one = run("summarize", f"{path}#translation/gnmt", "--json")
    assert one.json == made.json["summaries"][1]
    period = ("--from", "2016-09-26", "--to", "2017-06-12")
    assert run("factor", f"{path}#translation/gnmt", *period).code == 5
    for given, said in (
        (path, f"'{path}#translation/seq2seq'"),
        (f"{path}#go", "holds no series 'go'; there are translation/seq2seq"),
    ):
        refused = run("factor", given, *period)
        assert (refused.code, refused.out) == (2, "")
        assert said in refused.err


def test_notes_name_series_of_several_domains_as_rows_do(pooled, capsys):
    first, *others = pooled[1].json["summaries"]
    render.summaries([first | {"notes": ["of one"]}, *others])
    assert "note: translation/seq2seq: of one\n" in capsys.readouterr().out


def test_what_pooling_has_not():
    for option, said in (
        (("--prior", "signed"), "default prior alone"),
        (("--robust",), "no robust noise"),
        (("--domain", "go"), "at least two series"),
    ):
        refused = run("sample", *POOLED, *QUICK, *option)
        assert (refused.code, refused.out) == (2, "")
        assert said in refused.err


def test_models_side_by_side():
    result = run("compare", "--models", "loglinear,drift,frontier", *ALEXNET, *QUICK[:4], "--json")
    assert result.code == 5
    found = result.json
    assert found["schema"] == "effbayes.comparison/1"
    weighed = [row for row in found["models"] if "apart" not in row]
    assert {row["name"] for row in weighed} == {"loglinear", "drift"}
    assert sum(row["weight"] for row in weighed) == pytest.approx(1.0)
    [apart] = [row for row in found["models"] if "apart" in row]
    assert "16 of 16 rows" in apart["apart"]
    assert found["sentence"].startswith("The choice of a model ")


def test_a_series_of_which_no_row_can_be_spared():
    result = run("compare", "--models", "loglinear,records", "--domain", "go", *QUICK[:4])
    assert result.code == 5
    assert "no row can be left out" in result.out
    assert "averaged" not in result.out


def test_runs_side_by_side(pooled, tmp_path):
    path, _ = pooled
    runs = [tmp_path / f"{prior}.nc" for prior in ("default", "signed")]
    for each in runs:
        run("sample", *ALEXNET, "--prior", each.stem, *QUICK, "--out", each)
    result = run("compare", *runs, "--json")
    assert {row["name"] for row in result.json["models"]} == {"loglinear", "loglinear (signed)"}
    for wrong, said in (
        (runs[:1], "needs two run files"),
        ([*runs, "--models", "all"], "give one of them"),
        ([*runs, "--domain", "go"], "add --models all"),
        (
            [*runs, "--series", "x", "--where", "all", "--prior", "signed", "--point-values"],
            "--series, --where, --prior, --point-values choose what to fit",
        ),
        (
            [*runs, "--seed", "1", "--warmup", "0", "--draws", "9", "--chains", "1"],
            "--seed, --warmup, --draws, --chains choose what to fit",
        ),
        ([runs[0], f"{path}#translation/gnmt"], "different tables"),
        (["--models", "all", "--domain", "translation"], "add --series with one of seq2seq"),
        (["--models", "nothing", *ALEXNET], "no model 'nothing'"),
    ):
        refused = run("compare", *wrong)
        assert (refused.code, refused.out) == (2, "")
        assert said in refused.err
