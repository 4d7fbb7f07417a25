"""``forecast``, ``convert`` and ``effective`` as their callers see them."""

import math
import re

import numpy as np
import pytest

import effbayes as eb
from tests.cli.program import NOT_CONVERGED, run

LINKS = ("--algorithmic", "--hardware", "--spending")


@pytest.fixture(scope="module")
def fit(kept):
    return eb.load(kept[0])


def three(value):
    return value.median, value.low, value.high


def shown(value):
    return value["median"], value["low"], value["high"]


# --- forecast ----------------------------------------------------------------------------------


def test_forecast_at_dates(kept, fit):
    result = run("forecast", kept[0], "--at", "2021", "--at", "AlexNet", "--ci", 0.8, "--json")
    assert (result.code, result.err) == (0, "")
    found = result.json
    assert found["schema"] == "effbayes.forecast/1"
    assert (found["domain"], found["series"]) == ("imagenet", "alexnet-training")
    assert (found["verdict"], found["ci"]) == ("ok", {"prob": 0.8, "kind": "eti"})
    assert (found["unit"], found["direction"]) == ("teraflop/s-day", "falling")
    assert found["until"] is None
    for one, given in zip(found["at"], ("2021", "AlexNet"), strict=True):
        expected = fit.forecast(at=given, ci=0.8)
        assert (one["given"], one["date"]) == (given, expected.date)
        assert shown(one["trend"]) == three(expected.trend)
        assert shown(one["predictive"]) == three(expected.predictive)
        assert one["predictive"]["low"] < one["trend"]["low"]
        assert one["trend"]["high"] < one["predictive"]["high"]
    assert [one["date"] for one in found["at"]] == ["2021-07-02", "2012-06-01"]
    assert not any(one["extrapolated"] for one in found["at"])


def test_forecast_until_a_value(kept, fit):
    result = run(
        "forecast", kept[0], "--until", 0.01, "--by", "2030-01-01", "--by", "2024", "--json"
    )
    assert (result.code, result.err) == (0, "")
    until, expected = result.json["until"], fit.forecast(until=0.01, by=["2030-01-01", "2024"])
    assert shown(until["date"]) == three(expected.date)
    assert until["value"] == 0.01
    assert [(one["date"], one["prob"]) for one in until["by"]] == list(expected.by)
    assert [one["date"] for one in until["by"]] == ["2024-07-02", "2030-01-01"]
    assert until["prob_reached"] == expected.prob_reached > 0.99
    assert until["extrapolated"]
    assert until["notes"][0].startswith("Extrapolation: 2023-")
    # The median of the dates is where the median of the trend is.
    level = fit.level(until["date"]["median"]).median
    assert math.isclose(level, 0.01, rel_tol=2e-3)


def test_forecast_in_words(kept):
    told = run("forecast", kept[0], "--at", "2030-01-01", "--until", 0.01, "--by", "2040").out
    assert told.startswith("imagenet/alexnet-training\nloglinear, 2012-06-01 to 2019-05-28\n")
    assert "sampler: ok" in told
    assert re.search(r"2030-01-01 +\d\.\d+(e-\d+)? \(", told)
    assert "note: Extrapolation: 2030-01-01 is 10.6 years after the last row used" in told
    assert re.search(r"the trend is at most 0.01 teraflop/s-day from 2023-\d\d-\d\d on", told)
    assert re.search(r"2040-07-02 +> 0.999", told)


def test_forecast_where_no_date_exists(kept):
    result = run("forecast", kept[0], "--until", 1e-300, "--json")
    until = result.json["until"]
    assert shown(until["date"]) == (None, None, None)
    assert until["date"]["note"] == "later than 2119-05-29, or never"
    assert until["prob_reached"] == 0
    told = run("forecast", kept[0], "--until", 1e-300).out
    assert "from - on (95 %: - to -; later than 2119-05-29, or never)" in told


def test_forecast_at_the_end_of_the_calendar(kept):
    result = run("forecast", kept[0], "--at", "9999-12-31", "--json")
    (one,) = result.json["at"]
    assert shown(one["trend"]) == (None, None, None)
    assert "double precision" in one["trend"]["note"]
    assert "beyond the range" in run("forecast", kept[0], "--at", "9999-12-31").out


def test_forecast_highest_density(kept, fit):
    found = run("forecast", kept[0], "--at", "2021", "--interval", "hdi", "--json").json
    assert found["ci"]["kind"] == "hdi"
    assert shown(found["at"][0]["trend"]) == three(fit.forecast(at="2021", kind="hdi").trend)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), r"give --at DATE or --until VALUE"),
        (("--by", "2030"), r"--at DATE or --until"),
        (("--at", "2020", "--by", "2030"), r"--by .* add --until VALUE"),
        (("--at", "soon"), r"'soon' is not a date \(write YYYY.*no row of imagenet/alexnet"),
        (("--at", "2020", "--ci", "95"), r"between 0 and 1"),
        (("--until", "0"), r"number > 0"),
        (("--until", "nan"), r"number > 0"),
        (("--until", "cheap"), r"--until"),
        (("--until", "0.01", "--by", "2011"), r"before the first row used, 2012-06-01"),
    ],
)
def test_forecast_asked_wrongly(kept, arguments, message):
    result = run("forecast", kept[0], *arguments)
    assert (result.code, result.out) == (2, "")
    assert re.search(message, result.err)


# --- convert -----------------------------------------------------------------------------------


def test_convert(kept, fit):
    result = run(
        "convert", 100, "pfs-days", "--from", "2012", "--to", "2019", "--run", kept[0], "--json"
    )
    assert (result.code, result.err) == (0, "")
    found = result.json
    assert found["schema"] == "effbayes.convert/1"
    assert (found["amount"], found["unit"]) == (100, "pfs-days")
    assert (found["from"], found["to"]) == ("2012", "2019")
    assert found["span"] == ["2012-07-02", "2019-07-02"]
    assert (found["verdict"], found["notes"]) == ("ok", [])
    for kind in ("trend", "predictive"):
        factor = fit.efficiency_factor("2012-07-02", "2019-07-02", kind)
        assert shown(found["reverse"][kind]) == tuple(100 * each for each in factor[:3])
        back = fit.efficiency_factor("2019-07-02", "2012-07-02", kind)
        assert shown(found["worth"][kind]) == tuple(100 * each for each in back[:3])
    # Less compute does the same later.
    low, high = (found["worth"]["trend"][end] for end in ("low", "high"))
    assert math.isclose(low * found["reverse"]["trend"]["high"], 1e4, rel_tol=1e-2)
    assert 1 < low < high < 10
    told = run("convert", 100, "pfs-days", "--from", "2012", "--to", "2019", "--run", kept[0]).out
    assert re.search(
        r"100 pfs-days of 2012 \(2012-07-02\) +pfs-days of 2019 \(2019-07-02\) +2\.\d\d \(", told
    )
    assert re.search(r"100 pfs-days of 2019 \(2019-07-02\) .* 3\d{3} \(", told)


def test_convert_between_labels_and_far_dates(kept):
    about = ("--run", kept[0], "--json")
    found = run("convert", 1, "H100", "--from", "AlexNet", "--to", "9999-12-31", *about).json
    assert found["span"] == ["2012-06-01", "9999-12-31"]
    assert found["reverse"]["trend"]["median"] is None
    assert found["notes"][0].startswith("Extrapolation: 9999-12-31")
    huge = run("convert", 1e308, "x", "--from", "2019", "--to", "2012", *about).json
    assert huge["worth"]["trend"]["median"] is None
    assert "double precision" in huge["worth"]["trend"]["note"]
    odd = run("convert", "1e3", "[red]\x1b[31m", "--from", "2012", "--to", "2013", "--run", kept[0])
    assert "\x1b" not in odd.out
    assert "1000 [red]\\x1b[31m of 2012" in odd.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("100", "pfs-days", "--from", "2012", "--to", "2019"), r"--run"),
        (("many", "pfs-days", "--from", "2012", "--to", "2019"), r"AMOUNT"),
        (("100", "--from", "2012", "--to", "2019"), r"UNIT"),
        (("100", "pfs-days", "--from", "2012", "--run", "x.nc"), r"--to"),
    ],
)
def test_convert_asked_wrongly(arguments, message):
    result = run("convert", *arguments)
    assert (result.code, result.out) == (2, "")
    assert re.search(message, result.err)


@pytest.mark.parametrize("amount", ["0", "nan", "inf"])
def test_an_amount_is_above_zero(kept, amount):
    result = run("convert", amount, "x", "--from", "2012", "--to", "2019", "--run", kept[0])
    assert (result.code, result.out) == (2, "")
    assert "number > 0" in result.err


# --- effective ---------------------------------------------------------------------------------


def test_effective_compute(kept, fit):
    path = kept[0]
    given = (str(path), "2.07y[1.54,3.13]", "3.4mo")
    options = [word for pair in zip(LINKS, given, strict=True) for word in pair]
    result = run("effective", *options, "--years", 7, "--json")
    assert (result.code, result.err) == (0, "")
    found = result.json
    assert found["schema"] == "effbayes.effective/1"
    assert (found["verdict"], found["notes"], found["seed"]) == ("ok", [], 0)
    parts = found["components"]
    assert [part["given"] for part in parts.values()] == list(given)
    assert [part["kind"] for part in parts.values()] == ["run", "interval", "exact"]
    own = parts["algorithmic"]
    assert (own["run"], own["verdict"]) == ("imagenet/alexnet-training", "ok")
    assert np.allclose(shown(own["rate_per_year"]), three(fit.rate()), rtol=5e-3)
    assert np.allclose(
        shown(parts["hardware"]["doubling_time_months"]), [24.84, 18.48, 37.56], 0.02
    )
    assert np.allclose(shown(parts["spending"]["doubling_time_months"]), 3.4)
    assert math.isclose(sum(part["share"]["median"] for part in parts.values()), 1, rel_tol=0.01)
    medians = sum(part["rate_per_year"]["median"] for part in parts.values())
    assert math.isclose(found["rate_per_year"]["median"], medians, rel_tol=0.01)
    per_year, over = found["factor_per_year"]["median"], found["factor"]
    assert (over["years"], over["span"]) == (7, None)
    assert math.isclose(math.log(over["median"]), 7 * math.log(per_year), rel_tol=1e-3)
    assert run("effective", *options, "--years", 7, "--json").out == result.out
    other = run("effective", *options, "--years", 7, "--seed", 1, "--json").json
    assert other["rate_per_year"] != found["rate_per_year"]


def test_effective_compute_without_a_run():
    told = run("effective", "--hardware", "moore", "--spending", "4x/y", "--ci", 0.9).out
    assert re.search(r"doubling time +4\.80 months \(4\.80 to 4\.80\)", told)
    assert re.search(r"hardware +moore +24\.0 \(24\.0 to 24\.0\) +0\.200", told)
    assert "median (90 %)" in told
    assert "sampler" not in told
    ends = ("--from", "2012", "--to", "2019-07-02")
    found = run("effective", "--hardware", "moore", "--spending", "4x/y", *ends, "--json").json
    assert found["factor"]["span"] == ["2012-07-02", "2019-07-02"]
    assert math.isclose(found["factor"]["years"], 2556 / 365.25)
    told = run("effective", "--hardware", "moore", "--spending", "4x/y", *ends).out
    assert "factor over 2012-07-02 to 2019-07-02" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), r"at least two of algorithmic, hardware, spending"),
        (("--hardware", "moore"), r"at least two"),
        (("--hardware", "moore", "--spending", "3.4"), r"3.4mo, 3.4y or 3.4x/y.* or a run file"),
        (("--hardware", "more", "--spending", "1y"), r"did you mean moore"),
        (("--hardware", "moore", "--spending", "1y[2,3]"), r"between the ends"),
        (("--hardware", "moore", "--spending", "1y", "--years", "nan"), r"finite"),
        (("--hardware", "moore", "--spending", "1y", "--from", "2012"), r"both --from and --to"),
        (
            ("--hardware", "moore", "--spending", "1y", "--years", "2", "--to", "2012"),
            r"not both",
        ),
        (
            ("--hardware", "moore", "--spending", "1y", "--from", "AlexNet", "--to", "2012"),
            r"'AlexNet' is not a date",
        ),
        (("--hardware", "moore", "--spending", "1y", "--seed", "-1"), r"seed = -1"),
    ],
)
def test_effective_asked_wrongly(arguments, message):
    result = run("effective", *arguments)
    assert (result.code, result.out) == (2, "")
    assert re.search(message, result.err)
    assert len(result.err.splitlines()) <= 4


def test_a_run_that_is_not_there():
    result = run("effective", "--hardware", "moore", "--algorithmic", "none.nc")
    assert (result.code, result.out) == (4, "")
    assert "none.nc cannot be read" in result.err


# --- a sampler that did not converge -----------------------------------------------------------


@pytest.mark.parametrize("json", [True, False])
def test_results_are_printed_though_the_sampler_did_not_converge(quick, json):
    path, _ = quick
    option = ("--json",) if json else ()
    for arguments in (
        ("forecast", path, "--at", "plain", "--until", 1),
        ("convert", 5, "x", "--from", "plain", "--to", "2030", "--run", path),
        ("effective", "--algorithmic", path, "--hardware", "moore"),
    ):
        result = run(*arguments, *option)
        assert result.code == NOT_CONVERGED
        if json:
            assert result.json["verdict"] == "not converged"
        else:
            assert "not converged" in result.out


@pytest.mark.parametrize("command", ["forecast", "convert", "effective"])
def test_every_option_is_explained(command):
    told = run(command, "--help")
    assert (told.code, told.err) == (0, "")
    options = re.split(r"\n  (?=-)", told.out.partition("Options:")[2])[1:]
    assert len(options) >= 6
    assert [one for one in options if len(re.sub(r"\[.*|\s+", " ", one).split()) < 3] == []
