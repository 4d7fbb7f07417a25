"""``effbayes sample``: the document it prints, and what each option does to it."""

import math
import re

import pytest

from effbayes.cli import output
from tests.cli.program import NOT_CONVERGED, QUICK, Result, run, strict_json

GO = ("sample", "--domain", "go", *QUICK, "--json")

# The promise to scripts: every key is there, a number is a number, or null beside a note.
ESTIMATE = {"median": 0.5, "low": 0.5, "high": 0.5}
PROMISED = {
    "schema": "effbayes.summary/1",
    "domain": "imagenet", "series": "alexnet-training", "model": "loglinear", "prior": "default",
    "n_obs": 6, "n_table": 16, "span": ["2012-06-01", "2019-05-28"],
    "unit": "teraflop/s-day", "direction": "falling",
    "ci": {"prob": 0.95, "kind": "eti"},
    "doubling_time_months": ESTIMATE,
    "rate_per_year": ESTIMATE | {"mean": 0.5, "sd": 0.5, "mcse": 0.5},
    "factor_per_year": ESTIMATE,
    "efficiency_factor": {
        "from": "2012-06-01", "to": "2019-05-28",
        "trend": ESTIMATE, "predictive": ESTIMATE, "observed": ESTIMATE,
    },
    "prob_progress": 0.5,
    "references": [
        {"name": "moore", "doubling_time_months": 24.0, "factor": 11.3, "prob_faster": 0.5}
    ],
    "parameters": {"sigma": ESTIMATE | {"r_hat": 0.5, "ess_bulk": 0.5, "ess_tail": 0.5}},
    "diagnostics": {
        "verdict": "ok", "reasons": [], "r_hat_max": 0.5, "ess_bulk_min": 0.5,
        "ess_tail_min": 0.5, "divergences": 0, "bfmi_min": 0.5,
    },
    "sampler": {"method": "nuts", "chains": 4, "warmup": 0, "draws": 0, "seed": 0},
    "provenance": {
        "effbayes": "", "jax": "", "numpyro": "", "arviz": "", "device": "", "x64": True,
        "data_sha256": "",
    },
}  # fmt: skip


def departures(promised, found, path="$"):
    """Where a document breaks the promise."""
    if isinstance(promised, dict):
        if not isinstance(found, dict):
            return [f"{path} is {found!r}"]
        lost = [f"{path}.{key} is missing" for key in promised if key not in found]
        for key in promised.keys() & found.keys():
            if found[key] is None and key in ESTIMATE and found.get("note"):
                continue
            lost += departures(promised[key], found[key], f"{path}.{key}")
        return lost
    if isinstance(promised, list):
        if not isinstance(found, list):
            return [f"{path} is {found!r}"]
        each = promised[0] if promised else ""
        return [x for i, one in enumerate(found) for x in departures(each, one, f"{path}[{i}]")]
    kinds = (int, float) if isinstance(promised, float) else type(promised)
    is_kind = isinstance(found, kinds) and isinstance(found, bool) == isinstance(promised, bool)
    return [] if is_kind else [f"{path} is {found!r}, not like {promised!r}"]


def numbers(document):
    if isinstance(document, dict):
        document = list(document.values())
    if isinstance(document, list):
        return [x for inner in document for x in numbers(inner)]
    return [document] if isinstance(document, int | float) else []


def test_departures_are_seen():
    assert departures(PROMISED, PROMISED) == []
    for key in PROMISED:
        assert departures(PROMISED, {k: v for k, v in PROMISED.items() if k != key})
    assert departures({"x": True}, {"x": 1})
    assert departures({"x": 0}, {"x": True})
    assert departures({"x": ESTIMATE}, {"x": ESTIMATE | {"high": None}})
    assert not departures({"x": ESTIMATE}, {"x": ESTIMATE | {"high": None, "note": "none"}})
    with pytest.raises(AssertionError):
        strict_json('{"x": NaN}')


def test_one_series_prints_one_document_and_nothing_else(kept):
    _, result = kept
    assert (result.code, result.err) == (0, "")
    found = result.json
    assert departures(PROMISED, found) == []
    same = ("schema", "domain", "series", "model", "prior", "n_obs", "n_table", "span", "ci")
    assert {key: found[key] for key in same} == {key: PROMISED[key] for key in same}
    assert found["diagnostics"]["verdict"] == "ok"
    assert found["diagnostics"]["reasons"] == []
    assert found["sampler"]["seed"] == 3
    assert found["unit"] == "teraflop/s-day"
    assert found["references"][0]["name"] == "moore"
    assert math.isclose(found["references"][0]["factor"], 11.26, rel_tol=1e-3)
    assert set(found["parameters"]) == {"alpha", "sigma"}
    assert re.fullmatch(r"[0-9a-f]{64}", found["provenance"]["data_sha256"])
    assert all(map(math.isfinite, numbers(found)))
    time = found["doubling_time_months"]
    assert 0 < time["low"] < 15
    assert 15 < time["median"] < 17
    assert time["high"] > 17


def test_several_series_the_main_one_first():
    result = run("sample", "--domain", "imagenet", *QUICK, "--json")
    assert (result.code, result.err) == (NOT_CONVERGED, "")
    assert result.json["schema"] == "effbayes.summaries/1"
    found = result.json["summaries"]
    assert [one["series"] for one in found] == [
        "alexnet-training", "resnet50-training", "alexnet-inference", "resnet50-inference",
    ]  # fmt: skip
    for one in found:
        assert departures(PROMISED, one) == []
        assert one["domain"] == "imagenet"


def test_the_same_seed_prints_the_same_bytes():
    first, second, other = (run(*GO, "--seed", seed) for seed in (1, 1, 2))
    assert first == second
    assert first.json["rate_per_year"] != other.json["rate_per_year"]
    assert first.json["efficiency_factor"] != other.json["efficiency_factor"]
    assert run(*GO).json["sampler"]["seed"] == 0


def test_an_end_that_does_not_exist_is_null_with_a_note(table):
    flat = table("date,value\n2020-01-01,10\n2021-01-01,11\n2022-01-01,9\n2023-01-01,10\n")
    result = run("sample", "--data", flat, "--prior", "signed", *QUICK, "--json")
    promised = {key: value for key, value in PROMISED.items() if key != "domain"}
    assert departures(promised, result.json) == []
    found = result.json
    assert found["prior"] == "signed"
    time = found["doubling_time_months"]
    assert time["high"] is None
    assert "no progress" in time["note"]
    assert found["rate_per_year"]["low"] < 0 < found["rate_per_year"]["high"]
    assert 0 < found["prob_progress"] < 1
    shown = run("sample", "--data", flat, "--prior", "signed", *QUICK)
    assert re.search(r"longer than [\d.]+ months, or no progress", shown.out)
    assert not re.search(r"\b(nan|inf|None)\b", shown.out)


def test_no_progress_at_all(table):
    worse = table("date,value\n2020-01-01,1\n2021-01-01,2\n2022-01-01,4\n2023-01-01,8\n")
    found = run("sample", "--data", worse, "--prior", "signed", *QUICK, "--json").json
    time = found["doubling_time_months"]
    assert time == {"median": None, "low": None, "high": None, "note": time["note"]}
    assert time["note"].startswith("no progress")
    assert found["prob_progress"] == 0
    assert found["efficiency_factor"]["trend"]["high"] < 1
    assert found["domain"] is None
    shown = run("sample", "--data", worse, "--prior", "signed", *QUICK)
    assert re.search(r"doubling time +no progress", shown.out)


def test_rising_is_progress_where_falling_is_none(table):
    rising = table("date,value\n2020-01-01,1\n2021-01-01,2\n2022-01-01,4\n2023-01-01,8\n")
    options = ("--direction", "rising", "--prior", "signed")
    found = run("sample", "--data", rising, *options, *QUICK, "--json").json
    assert (found["direction"], found["prob_progress"]) == ("rising", 1)
    assert 11 < found["doubling_time_months"]["median"] < 13


def test_reference_prior():
    found = run(
        "sample", "--domain", "imagenet", "--series", "alexnet-training", "--point-values",
        "--prior", "reference", *QUICK, "--json",
    ).json  # fmt: skip
    assert found["prior"] == "reference"
    assert 10 < found["doubling_time_months"]["median"] < 25


def test_two_rows_have_no_reference_posterior():
    result = run(*GO, "--prior", "reference")
    assert (result.code, result.out) == (3, "")
    assert "reference" in result.err


def test_settings_of_the_sampler_and_robust_noise():
    result = run(
        "sample", "--domain", "cifar10", "--series", "airbench96-pflop", "--robust", "--json",
        "--warmup", 60, "--draws", 12, "--chains", 3, "--target-accept", 0.8, "--seed", 2**62,
    )  # fmt: skip
    found = result.json
    settings = {"warmup": 60, "draws": 12, "chains": 3, "target_accept": 0.8, "seed": 2**62}
    assert found["sampler"].items() >= settings.items()
    assert set(found["parameters"]) == {"alpha", "sigma", "nu"}
    assert found["noise"] != run(*GO).json["noise"]


def test_point_values_are_another_data_set():
    series = ("sample", "--domain", "imagenet", "--series", "alexnet-training", *QUICK, "--json")
    censored, points = run(*series).json, run(*series, "--point-values").json
    observed = [one["efficiency_factor"]["observed"] for one in (censored, points)]
    assert observed[0]["low"] < observed[0]["median"] < observed[0]["high"]
    assert observed[1]["low"] == observed[1]["high"]
    assert censored["provenance"]["data_sha256"] != points["provenance"]["data_sha256"]
    assert (censored["n_obs"], points["n_obs"]) == (6, 6)


def test_published_figures():
    series = ("sample", "--domain", "translation", "--series", "seq2seq", *QUICK, "--json")
    corrected, published = run(*series).json, run(*series, "--published").json
    assert (corrected["published"], published["published"]) == (False, True)
    assert corrected["span"] != published["span"]


def test_rows_by_word_and_by_expression():
    def rows(*where):
        found = run(
            "sample", "--domain", "imagenet", "--series", "alexnet-training", "--point-values",
            *where, *QUICK, "--json",
        ).json  # fmt: skip
        return found["rows"], found["n_obs"], found["n_table"]

    assert rows() == rows("--where", "frontier") == ("frontier", 6, 16)
    assert rows("--where", "all") == ("all", 16, 16)


def test_rows_by_expression():
    found = run(
        "sample", "--domain", "cifar10", "--where", "value > 0.2 and date > '2019-05-01'",
        *QUICK, "--json",
    )  # fmt: skip
    chosen = {one["series"]: (one["n_obs"], one["n_table"]) for one in found.json["summaries"]}
    assert chosen == {
        "a100": (10, 10), "v100": (3, 8), "airbench94-pflop": (2, 2), "airbench96-pflop": (3, 3),
    }  # fmt: skip


def test_an_expression_is_not_held_against_a_series_that_was_not_asked_for():
    expression = "frontier and date > '2015-01-01'"
    found = run(
        "sample", "--domain", "imagenet", "--series", "alexnet-training", "--point-values",
        "--where", expression, *QUICK, "--json",
    )  # fmt: skip
    assert found.code == NOT_CONVERGED
    assert (found.json["rows"], found.json["n_obs"]) == (expression, 4)


def test_rows_of_which_too_few_are_left():
    result = run(*GO, "--where", "date > '2099-01-01'")
    assert (result.code, result.out) == (3, "")
    assert "keeps none of the 2 rows" in result.err


def test_interval_of_another_probability_and_kind(kept):
    path, sampled = kept
    half = run("summarize", path, "--ci", 0.5, "--json").json
    assert half["ci"] == {"prob": 0.5, "kind": "eti"}
    dense = run("summarize", path, "--interval", "hdi", "--json").json
    assert dense["ci"] == {"prob": 0.95, "kind": "hdi"}

    def width(found, quantity):
        return found[quantity]["high"] - found[quantity]["low"]

    full = sampled.json
    for quantity in ("doubling_time_months", "rate_per_year", "factor_per_year"):
        assert width(half, quantity) < 0.6 * width(full, quantity)
        # The narrowest that holds 95 % of the draws; rounding to whole draws may add one of them.
        assert width(dense, quantity) < 1.01 * width(full, quantity)
        assert half[quantity]["median"] == full[quantity]["median"]
    assert width(dense, "doubling_time_months") < 0.97 * width(full, "doubling_time_months")
    quick = run(*GO, "--ci", 0.5, "--interval", "hdi").json
    assert quick["ci"] == {"prob": 0.5, "kind": "hdi"}


def test_columns_of_another_name(table):
    models = table(
        "Model,Publication date,Training compute (FLOP)\n"
        "A,2020-01-01,1e18\nB,2021-01-01,1e19\nC,2022-01-01,1e20\n"
    )
    columns = (
        "--column", "date=Publication date", "--column", "value=Training compute (FLOP)",
        "--column", "label=Model", "--direction", "rising", "--unit", "FLOP",
    )  # fmt: skip
    result = run("sample", "--data", models, *columns, *QUICK, "--json")
    assert (result.code, result.err) == (NOT_CONVERGED, "")
    found = result.json
    assert (found["series"], found["unit"], found["n_obs"]) == ("mine", "FLOP", 3)
    assert found["span"] == ["2020-01-01", "2022-01-01"]
    assert math.isclose(found["efficiency_factor"]["observed"]["median"], 100, rel_tol=1e-9)


def test_quiet_and_a_stream_that_is_no_terminal_show_no_progress():
    assert run(*GO[:-1]).err == ""
    assert run(*GO[:-1], "--quiet").err == ""


def test_a_table_with_several_series(table):
    two = table(
        "series,date,value\na,2020-01-01,4\na,2021-01-01,2\nb,2020-01-01,9\nb,2022-01-01,3\n"
    )
    found = run("sample", "--data", two, *QUICK, "--json").json
    assert [one["series"] for one in found["summaries"]] == ["a", "b"]
    one = run("sample", "--data", two, "--series", "b", *QUICK, "--json").json
    assert one["series"] == "b"
    assert one == found["summaries"][1]
    result = run("sample", "--data", two, "--series", "c", *QUICK)
    assert (result.code, result.out) == (2, "")
    assert re.search(r"'c'.* a, b", result.err)
    shown = run("sample", "--data", two, *QUICK).out
    assert re.search(r"(?m)^ a +2 of 2 .*not converged", shown)


def test_several_domains_at_once(monkeypatch):
    monkeypatch.setattr("effbayes.domains.domain_names", lambda: ("translation", "go"))
    found = run("sample", "--domain", "all", *QUICK, "--json").json["summaries"]
    names = [f"{one['domain']}/{one['series']}" for one in found]
    assert names == ["translation/seq2seq", "translation/gnmt", "go/alphago-zero-level"]
    shown = run("sample", "--domain", "all", *QUICK).out
    assert [name for name in names if not re.search(rf"(?m)^ {name} +2 of 2 ", shown)] == []
    shared = run("sample", "--domain", "translation", *QUICK).out
    assert shared.startswith("translation\n")
    assert re.search(r"(?m)^ gnmt +2 of 2 ", shared)


def test_interrupted_and_abandoned(monkeypatch):
    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt

    def leave(_text):
        raise output.ReaderGoneError

    monkeypatch.setattr("effbayes.fitting.sample", interrupt)
    assert run(*GO) == Result(130, "", "effbayes: interrupted\n")
    monkeypatch.setattr(output, "write", leave)
    assert run("domains") == Result(141, "", "")
