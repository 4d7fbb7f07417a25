"""Rates from elsewhere: what was published is what the distribution has, by SciPy's account."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from scipy import stats

import effbayes as eb
from effbayes.domains import data_folder, reference_rates
from effbayes.rates import Posterior, parse

N = 200_000

with (data_folder() / "other_estimates.csv").open(encoding="utf-8", newline="") as table:
    ESTIMATES = list(csv.DictReader(table))

UNITS = {"months": "mo", "years": "y"}


def written(row):
    """An estimate as an expression; a range that is no interval is left out."""
    unit = UNITS.get(row["unit"])
    if row["unit"] == "times":
        unit = f"x/{row['period_years']}y"
    if not row["prob"]:
        return f"{row['value']}{unit}"
    return f"{row['value']}{unit}[{row['low']},{row['high']}]@{100 * float(row['prob']):g}"


def rate_of(row, number):
    """Doublings per year, by hand."""
    if row["unit"] == "times":
        return np.log(float(number)) / np.log(2.0) / float(row["period_years"])
    return (12.0 if row["unit"] == "months" else 1.0) / float(number)


RATES = [row for row in ESTIMATES if row["unit"] in {"months", "years", "times"}]


def test_all_later_estimates_are_rates_but_for_shares():
    others = {row["measure"] for row in ESTIMATES} - {row["measure"] for row in RATES}
    assert len(RATES) >= 23
    assert all(measure.startswith("share of ") for measure in others)


@pytest.mark.parametrize("row", RATES, ids=[row["name"] for row in RATES])
def test_a_later_estimate_is_its_distribution(row):
    found = parse(written(row))
    median = rate_of(row, row["value"])
    assert found.median == pytest.approx(median, rel=1e-12)
    if not row["prob"]:
        assert found.kind == "exact"
        assert set(found.draw(5, np.random.default_rng(0))) == {found.median}
        return
    assert found.kind == "interval"
    tail = 0.5 * (1.0 - float(row["prob"]))
    ends = sorted(rate_of(row, row[end]) for end in ("low", "high"))
    # Each half is that of a log-normal whose tail holds what the interval leaves out.
    for prob, end in zip((tail, 1.0 - tail), ends, strict=True):
        spread = np.log(end / median) / stats.norm.ppf(prob)
        half = stats.lognorm(spread, scale=median)
        assert half.ppf(prob) == pytest.approx(end, rel=1e-12)
        inner = (prob, 0.1, 0.4) if prob < 0.5 else (prob, 0.9, 0.6)
        for level in inner:
            assert found.quantile(level) == pytest.approx(half.ppf(level), rel=1e-9)
    assert found.quantile(0.5) == pytest.approx(median, rel=1e-12)


@pytest.mark.parametrize("text", ["8mo[2,22]@90", "2.07y[1.54,3.13]", "3.15x/y[1.1,9.0]"])
def test_draws_have_the_distribution(text):
    # Kolmogorov's distance of N draws; 1e-6 false alarms a case on a fixed seed.
    found = parse(text)
    draws = found.draw(N, np.random.default_rng(1))
    probs = np.linspace(0.0005, 0.9995, 1000)
    expected = np.array([found.quantile(prob) for prob in probs])
    seen = np.searchsorted(np.sort(draws), expected) / N
    assert np.max(np.abs(seen - probs)) < stats.kstwo.isf(1e-6, N)


def test_a_central_value_in_the_middle_gives_the_log_normal():
    found = parse("6mo[3,12]@90")
    assert found.spread_below == pytest.approx(found.spread_above)
    time = stats.lognorm(np.log(2.0) / stats.norm.ppf(0.95), scale=6.0)
    for prob in (0.01, 0.25, 0.8):
        assert 12.0 / found.quantile(1.0 - prob) == pytest.approx(time.ppf(prob))


def test_names_are_those_of_the_catalogue():
    for reference in reference_rates():
        found = parse(reference.name.upper())
        assert (found.median, found.kind) == (12.0 / reference.doubling_time_months, "exact")


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("24mo", 0.5), ("2y", 0.5), ("2 years", 0.5), (" 24 Months ", 0.5), ("730.5d", 0.5),
        ("4x/y", 2.0), ("4x/yr", 2.0), ("16x/2y", 2.0), ("2x/6mo", 2.0), ("1.5e1mo", 0.8),
        ("0.5x/y", -1.0), ("1x/y", 0.0), (".5y", 2.0), ("2.y", 0.5),
    ],
)  # fmt: skip
def test_points(text, rate):
    found = parse(text)
    assert found.median == pytest.approx(rate)
    assert found.text == text
    assert (found.kind, found.size) == ("exact", 0)


@pytest.mark.parametrize("text", ["8mo[2,22]@90%", "8 mo [2, 22] @ 90", "8mo[2to22]@90"])
def test_intervals_may_be_spaced(text):
    assert parse(text).quantile(0.05) == pytest.approx(12.0 / 22.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("moor", "did you mean moore?"),
        ("", "is no rate"),
        ("fast", "moore, 3.4mo, 2.07y[1.54,3.13]"),
        ("3.4", "of what unit of time? 3.4mo, 3.4y or 3.4x/y?"),
        ("3.4m", "'m' is no unit of time; there are d, mo and y"),
        ("3.4x", "'x' is no unit"),
        ("4x/", "is no rate"),
        ("-3mo", "is no rate"),
        ("nan mo", "is no rate"),
        ("0mo", "from 1e-30 to 1e+30"),
        ("1e400mo", "from 1e-30 to 1e+30"),
        ("1e-320mo", "from 1e-30 to 1e+30"),
        ("0x/y", "from 1e-30 to 1e+30"),
        ("4x/0y", "from 1e-30 to 1e+30"),
        ("8mo[2,22", "is no rate"),
        ("8mo[22,2]", "smaller end first"),
        ("8mo[9,22]", "between the ends"),
        ("8mo[8,22]", "between the ends"),
        ("60x/y[16,60]", "leave out what is no interval"),
        ("8mo[0,22]", "from 1e-30"),
        ("2x/y[0.9,4]", "includes a factor of 1"),
        ("2x/y[1,4]", "includes a factor of 1"),
        ("8mo[2,22]@0.9", "in percent"),
        ("8mo[2,22]@100", "in percent"),
        ("8mo[2,22]@99.99999999999999", "in percent"),
        ("8mo[2,22]@", "is no rate"),
        ("8mo@90", "is no rate"),
    ],
)
def test_what_is_no_rate(text, message):
    with pytest.raises(eb.UsageError, match=re.escape(message)) as raised:
        parse(text)
    assert "run file" not in str(raised.value)


def test_run_files_are_read_where_they_can_be(tmp_path):
    draws = np.arange(12.0).reshape(2, 6)
    asked = []

    def read(path):
        asked.append(path)
        return draws

    bare = tmp_path / "run"
    bare.write_bytes(b"")
    for text in (str(bare), "missing.nc"):
        found = parse(text, read)
        assert (found.text, found.kind, found.size) == (text, "run", 12)
    assert asked == [str(bare), "missing.nc"]
    assert parse("moore", read).kind == "exact"
    with pytest.raises(eb.UsageError, match="or a run file"):
        parse("run", read)
    with pytest.raises(eb.UsageError, match="or a run file"):
        parse("r" * 5000, read)


@pytest.mark.parametrize("draws", [np.zeros((4, 0)), np.array([1.0, np.nan]), np.array([np.inf])])
def test_draws_that_are_no_rate(draws):
    with pytest.raises(eb.UsageError, match="must be finite, and at least one"):
        parse("run.nc", lambda _: draws)


def test_draws_of_a_posterior_are_used_equally_often():
    found = Posterior("x", np.arange(10.0).reshape(2, 5))
    counts = np.unique(found.draw(40, np.random.default_rng(0)), return_counts=True)[1]
    assert set(counts) == {4}
    fewer = found.draw(7, np.random.default_rng(0))
    assert len(set(fewer)) == 7
    assert list(fewer) != sorted(fewer)
