"""Forecasts and conversions of handmade draws, against closed forms and searches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

import effbayes as eb
from effbayes import posterior as post
from effbayes.analysis import Analysis
from effbayes.curves import Bend, Path
from effbayes.dataset.dates import date_reader
from effbayes.forecasting import day_of
from effbayes.posterior import BEYOND_NUMBERS, Interval

from .conftest import make_series

N = 4001
# Quantiles of a standard normal at N levels: draws whose own quantiles are known without chance.
Z = stats.norm.ppf((np.arange(N) + 0.5) / N)[None]
DAY = 1.0 / 365.25


def made(draws, *, noise=None, model="loglinear", **columns):
    """A run with draws made by hand, of a series with its origin at 2016-01-01."""
    series = make_series(["2014-01-01", "2016-01-01", "2017-12-31"], [4.0, 2.0, 1.0], **columns)
    full = {"alpha": np.zeros_like(Z), "rate": np.ones_like(Z)} | draws
    return Analysis(
        series=series,
        draws=full,
        noise=np.zeros((*Z.shape, 2)) if noise is None else noise,
        stats={},
        settings={"model": model, "sampler": {"seed": 0}},
        made_by={"data_sha256": "0" * 64},
        build_tree=lambda _: None,
    )


def days_after_origin(text):
    return (np.datetime64(text) - np.datetime64("2016-01-01")) / np.timedelta64(1, "D")


# --- at a date ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "sign"), [("falling", -1.0), ("rising", 1.0)])
def test_the_trend_at_a_date_in_closed_form(direction, sign):
    fit = made({"alpha": 3.0 + 0.2 * Z, "rate": 0.5 + 0.01 * Z}, direction=direction)
    found = fit.forecast(at="2018-01-01", ci=0.8)
    years = days_after_origin("2018-01-01") * DAY
    exponent = 3.0 + sign * 0.5 * years
    spread = abs(0.2 + sign * 0.01 * years)
    expected = exponent + spread * stats.norm.ppf([0.5, 0.1, 0.9])
    np.testing.assert_allclose(np.log2(found.trend[:3]), expected, atol=3e-4)
    assert (found.date, found.extrapolated) == ("2018-01-01", False)
    assert found.years_beyond == pytest.approx(DAY)
    assert found.trend == fit.level("2018-01-01", ci=0.8)


@pytest.mark.parametrize(("direction", "sign"), [("falling", -1.0), ("rising", 1.0)])
def test_noise_is_in_doublings_less_efficient(direction, sign):
    noise = np.stack([np.abs(Z), np.abs(Z)], axis=-1)
    fit = made({"alpha": np.full_like(Z, 2.0)}, noise=noise, direction=direction)
    found = fit.forecast(at="2016-01-01")
    assert found.trend[:3] == pytest.approx([4.0] * 3)
    worse = stats.halfnorm.ppf([0.5, 0.025, 0.975])
    expected = 2.0 - sign * (worse if sign < 0 else worse[[0, 2, 1]])
    np.testing.assert_allclose(np.log2(found.predictive[:3]), expected, atol=5e-3)


def test_a_new_system_has_noise_about_the_trend():
    rng = np.random.default_rng(0)
    shape = (4, 50_000)
    draws = {"alpha": rng.standard_normal(shape), "rate": np.zeros(shape)}
    fit = made(draws, noise=0.75 * rng.standard_normal((*shape, 2)))
    found = fit.forecast(at="2016-01-01").predictive
    expected = stats.norm(0.0, 1.25).ppf([0.5, 0.025, 0.975])
    # 5 standard errors of the 2.5 % quantile of 200,000 draws.
    np.testing.assert_allclose(np.log2(found[:3]), expected, atol=5 * 1.25 * 0.006)


def test_highest_density_is_that_of_the_logarithm():
    draws = np.exp(Z)
    fit = made({"alpha": draws})
    found = fit.forecast(at="2016-01-01", ci=0.8, kind="hdi").trend
    expected = post.estimate(draws, Interval(0.8, "hdi"))
    np.testing.assert_allclose(np.log2(found[:3]), expected[:3], rtol=1e-12)


@pytest.mark.parametrize(
    ("date", "beyond", "far"),
    [
        ("2016-06-01", 0.0, False),
        ("2019-12-31", 2.0, False),
        ("2020-01-01", 2.0, True),
        ("2012-01-02", 2.0, False),
        ("2011-12-01", 2.084, True),
    ],
)
def test_more_than_half_the_span_beyond_the_rows_is_an_extrapolation(date, beyond, far):
    found = made({}).forecast(at=date)
    assert found.years_beyond == pytest.approx(beyond, abs=0.006)
    assert found.extrapolated is far
    assert bool(found.notes) is far
    if far:
        assert ("after the last" if date > "2016" else "before the first") in found.notes[0]


@pytest.mark.parametrize("date", ["9999-12-31", "0001-01-01"])
def test_the_ends_of_the_calendar_are_beyond_numbers(date):
    found = made({"rate": 1.0 + 0.01 * Z}).forecast(at=date)
    assert found.trend == found.predictive == (None, None, None, BEYOND_NUMBERS)
    assert found.extrapolated
    slow = made({"rate": 1e-3 * (1.0 + 0.01 * Z)}).forecast(at=date)
    years = days_after_origin(date) * DAY
    assert np.log2(slow.trend.median) == pytest.approx(-1e-3 * years, rel=1e-6)


# --- until a value -----------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "value"), [("falling", 0.2), ("rising", 5.0)])
def test_the_date_of_a_value_is_the_root_of_each_draw(direction, value):
    rng = np.random.default_rng(3)
    draws = {"alpha": 0.1 * rng.standard_normal((2, 50)), "rate": rng.uniform(0.3, 2.0, (2, 50))}
    fit = made(draws, direction=direction)
    roots = [
        brentq(lambda t, at=at: fit.curve.level(t)[(*at, 0)] - np.log2(value), -5.0, 50.0)
        for at in np.ndindex(2, 50)
    ]
    found = fit.forecast(until=value, by=["2018-06-01", "2021"], ci=0.8)
    for text, expected in zip(
        (found.date.median, found.date.low, found.date.high),
        np.quantile(roots, [0.5, 0.1, 0.9]),
        strict=True,
    ):
        # The first day by which it is reached.
        assert -1e-6 <= days_after_origin(text) - expected / DAY <= 1.0 + 1e-6
    assert [date for date, _ in found.by] == ["2018-06-01", "2021-07-02"]
    for date, prob in found.by:
        assert prob == np.mean(np.array(roots) <= days_after_origin(date) * DAY)
    assert found.prob_reached == 1.0
    assert found.value == value
    assert found.horizon == "2118-01-01"


def test_a_date_in_closed_form():
    # log rate is normal, so the years to gain 3 doublings are log-normal.
    fit = made({"rate": 0.5 * np.exp(0.3 * Z)})
    found = fit.forecast(until=0.125, ci=0.5)
    expected = stats.lognorm(0.3, scale=6.0).ppf([0.5, 0.25, 0.75])
    for text, years in zip(
        (found.date.median, found.date.low, found.date.high), expected, strict=True
    ):
        assert days_after_origin(text) == pytest.approx(years / DAY, abs=1.5)
    assert found.years_beyond == pytest.approx(4.0, abs=0.01)
    assert found.extrapolated


def test_where_there_may_be_no_progress_the_date_may_not_exist():
    fit = made({"rate": 0.5 + 0.5 * Z})
    found = fit.forecast(until=0.125, by=["2116", "2016"])
    assert found.date.median is not None
    assert found.date.high is None
    assert found.date.note == "later than 2118-01-01, or never"
    # Reached in t years where the rate is at least 3 / t.
    horizon = days_after_origin(found.horizon) * DAY
    assert found.prob_reached == pytest.approx(stats.norm.sf((3 / horizon - 0.5) / 0.5), abs=1e-3)
    assert dict(found.by)["2016-07-02"] == pytest.approx(0.0, abs=1e-3)
    never = made({"rate": -1.0 + 0.1 * Z}).forecast(until=0.125)
    assert (never.date.median, never.date.low, never.date.high) == (None, None, None)
    assert never.prob_reached == 0.0


def test_a_value_that_was_always_bettered():
    found = made({"rate": -1.0 + 0.1 * Z}).forecast(until=100.0)
    assert found.date.median is None
    assert found.date.note == "earlier than 1914-01-01, or always so"
    assert {prob for _, prob in found.by} == {1.0}


@pytest.mark.parametrize(
    ("rate", "value", "note"),
    [
        (0.01, 2.0**-3, "later than 2118-01-01"),
        (-1.0, 2.0**-3, "later than 2118-01-01"),
        (0.01, 2.0**3, "earlier than 1914-01-01"),
    ],
)
def test_a_date_beyond_all_that_are_named_is_an_extrapolation(rate, value, note):
    found = made({"rate": rate * (1.0 + 0.01 * Z)}).forecast(until=value)
    assert (found.date.median, found.date.low) == (None, None)
    assert note in found.date.note
    assert found.years_beyond == pytest.approx(100.0, abs=0.01)
    assert found.extrapolated
    assert note.rpartition(" ")[2] in found.notes[0]


def test_a_value_of_the_past_has_its_date():
    found = made({}).forecast(until=4.0)
    assert found.date.median == "2014-01-01"
    assert not found.extrapolated
    assert made({}).forecast(until=64.0).date.median == "2010-01-01"


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.02, 0.1, 0.3, 0.8, 3.0])
def test_dates_of_a_table_suit_the_distribution(spread):
    found = made({"rate": np.exp(spread * Z)}).forecast(until=2.0**-5)
    assert 1 <= len(found.by) <= 9
    dates, probs = zip(*found.by, strict=True)
    assert list(dates) == sorted(set(dates))
    assert all(date.endswith("-01") and date >= "2014-01-01" for date in dates)
    assert list(probs) == sorted(probs)
    if 0.01 < spread < 1.0:
        assert len(found.by) >= 3
        assert probs[0] < 0.5
        assert probs[-1] > 0.9


# --- trends that are not straight --------------------------------------------------------------


def bent(**columns):
    draws = {"rate_before": 0.5 + 0.1 * Z, "rate_after": 2.0 - 0.3 * Z}
    draws["changepoint"] = 0.5 * np.cos(9 * Z)
    return made(draws, model="changepoint", **columns)


def drifting(**columns):
    knots = np.linspace(-730 * DAY, 730 * DAY, 9)
    rate = 1.0 + 0.3 * Z[..., None] + 0.2 * np.sin(knots)
    draws = {"drift": np.full_like(Z, 0.4), "path_rate": rate}
    draws["path_level"] = -(1.0 + 0.3 * Z[..., None]) * knots + 0.2 * (np.cos(knots) - 1.0)
    return made(draws, model="drift", **columns)


def test_a_bent_trend_has_the_dates_of_its_roots():
    fit = bent()
    assert isinstance(fit.curve, Bend)
    found = fit.forecast(until=0.05, ci=0.9)
    roots = [
        brentq(lambda t, i=i: fit.curve.level(t)[0, i, 0] - np.log2(0.05), -9.0, 90.0)
        for i in range(0, N, 40)
    ]
    thinned = fit.curve.reaches(np.log2(0.05), -2.0, 90.0)[0, ::40]
    np.testing.assert_allclose(thinned, roots, atol=1e-9)
    middle = np.quantile(fit.curve.reaches(np.log2(0.05), -2.0, 90.0), 0.5)
    assert days_after_origin(found.date.median) == pytest.approx(middle / DAY, abs=1.01)


def test_factors_follow_the_curve():
    fit = bent()
    curve = fit.curve
    span = [days_after_origin(text) * DAY for text in ("2014-01-01", "2017-12-31")]
    gain = np.array([
        curve.before[0, i] * (curve.change[0, i] - span[0])
        + curve.after[0, i] * (span[1] - curve.change[0, i])
        for i in range(N)
    ])  # fmt: skip
    found = fit.efficiency_factor("2014-01-01", "2017-12-31")
    np.testing.assert_allclose(np.log2(found[:3]), post.estimate(gain, Interval())[:3], rtol=1e-6)
    noisy = replace(fit, noise=np.stack([Z, -Z], axis=-1))
    found = noisy.efficiency_factor("2014-01-01", "2017-12-31", "predictive")
    expected = post.estimate(gain - 2.0 * Z[0], Interval())[:3]
    np.testing.assert_allclose(np.log2(found[:3]), expected, rtol=1e-4)


def test_factors_of_a_line_are_what_they_were(alexnet_fit):
    rate, noise = alexnet_fit.draws["rate"], alexnet_fit.noise
    for ends in (("2012-06-01", "2019-05-28"), ("2013-01-01", "2030-01-01")):
        years = post.years_between(*map(np.datetime64, ends))
        trend = alexnet_fit.efficiency_factor(*ends)
        assert trend == post.trend_factor(rate, years, Interval())
        assert trend == post.estimate(2.0 ** (rate * years), Interval())
        predictive = alexnet_fit.efficiency_factor(*ends, "predictive")
        assert predictive == post.predictive_factor(rate, noise, years, Interval())


def test_a_drifting_trend_beyond_its_rows_widens_as_its_model_says():
    fit = drifting()
    assert isinstance(fit.curve, Path)
    inside, beyond = (fit.forecast(at=date).trend for date in ("2017-06-01", "2028-01-01"))
    assert fit.forecast(at="2028-01-01").trend == beyond
    last = days_after_origin("2017-12-31") * DAY
    years = days_after_origin("2028-01-01") * DAY - last
    # Level and rate at the last knot both fall with Z; the steps beyond are independent of it.
    centre = fit.curve.level(last)[0, N // 2, 0] - years * fit.curve.rate(last)[0, N // 2, 0]
    spread = np.hypot(0.3 * (last + years), 0.4 * np.sqrt(years**3 / 3.0))
    expected = centre + spread * stats.norm.ppf([0.5, 0.025, 0.975])
    # 5 standard errors of quantiles of 4,001 draws.
    np.testing.assert_allclose(np.log2(beyond[:3]), expected, atol=5 * spread * 2.7 / np.sqrt(N))
    assert np.ptp(np.log2(inside[:3])) < 0.2 * np.ptp(np.log2(beyond[:3]))
    found = fit.forecast(until=2.0**-6)
    assert "2018-01-01" < found.date.low < found.date.median
    assert 0.5 < found.prob_reached < 1.0


# --- conversion --------------------------------------------------------------------------------


def test_compute_of_one_date_in_that_of_another(alexnet_fit):
    found = alexnet_fit.convert(100.0, "2019-05-28", "2012-06-01")
    factor = alexnet_fit.efficiency_factor("2012-06-01", "2019-05-28")
    assert found[:3] == pytest.approx([100.0 * each for each in factor[:3]])
    back = alexnet_fit.convert(1.0, "AlexNet", "EfficientNet-b0")
    assert back.median == pytest.approx(1.0 / factor.median, rel=1e-3)
    assert back.low == pytest.approx(1.0 / factor.high, rel=1e-3)
    new = alexnet_fit.convert(1.0, "2012-06-01", "2019-05-28", "predictive", 0.5, "hdi")
    assert new == alexnet_fit.efficiency_factor(
        "2019-05-28", "2012-06-01", "predictive", 0.5, "hdi"
    )


def test_a_conversion_between_years_is_one_between_their_centres():
    fit = made({"rate": 1.0 + 0.1 * Z})
    found = fit.convert(10.0, "2014", "2016")
    years = days_after_origin("2016-07-02") * DAY - days_after_origin("2014-07-02") * DAY
    assert found.median == pytest.approx(10.0 * 2.0**-years)


@pytest.mark.parametrize("amount", [0.0, -1.0, float("nan"), float("inf")])
def test_an_amount_is_a_number_above_zero(amount):
    with pytest.raises(eb.UsageError, match="number > 0"):
        made({}).convert(amount, "2014", "2016")


def test_a_conversion_is_of_the_trend_or_of_new_systems():
    with pytest.raises(eb.UsageError, match="trend, predictive"):
        made({}).convert(1.0, "2014", "2016", "observed")


# --- what cannot be asked ----------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_values_to_reach_are_numbers_above_zero(value):
    with pytest.raises(eb.UsageError, match="number > 0"):
        made({}).forecast(until=value)


def test_a_forecast_is_at_a_date_or_until_a_value():
    fit = made({})
    for wrong in ({}, {"at": "2020", "until": 1.0}):
        with pytest.raises(eb.UsageError, match="one of at, until"):
            fit.forecast(**wrong)
    with pytest.raises(eb.UsageError, match="belong to a forecast until"):
        fit.forecast(at="2020", by=["2021"])
    with pytest.raises(eb.UsageError, match="before the first row used, 2014-01-01"):
        fit.forecast(until=0.5, by=["2013-12-31"])
    with pytest.raises(eb.UsageError, match="between 0 and 1"):
        fit.forecast(at="2020", ci=95)
    with pytest.raises(eb.UsageError, match="eti, hdi"):
        fit.forecast(at="2020", kind="sd")


# --- dates -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["2012", "2013-06", "June 2012", "31/12/2019", "2016-02"])
def test_a_coarse_date_is_the_centre_that_tables_give_it(text):
    assert day_of(text) == np.datetime64(date_reader(None)(text).day, "D")


def test_a_label_comes_before_a_date():
    series = make_series(["2014-01-01", "2016-01-01"], [4.0, 2.0], label=("2015", "2015-01-01"))
    assert day_of("2015", series) == np.datetime64("2014-01-01")
    assert day_of("2015-01-01", series) == np.datetime64("2016-01-01")
    assert day_of("2015") == np.datetime64("2015-07-02")
    twice = make_series(["2014-01-01", "2016-01-01"], [4.0, 2.0], label=("a", "a"))
    with pytest.raises(eb.UsageError, match="2 rows of made are labelled 'a'"):
        day_of("a", twice)


def test_labels_that_look_like_dates_do_not_move_the_summary():
    fit = made({"rate": 1.0 + 0.1 * Z}, label=("2017-12-31", "b", "2014-01-01"))
    assert fit.efficiency_factor("2017-12-31", "2014-01-01").median > 1.0
    plain = made({"rate": 1.0 + 0.1 * Z}).efficiency_factor("2014-01-01", "2017-12-31")
    assert fit.efficiency_factor(*fit.series.ends) == plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a date"),
        ("20150101", "is not a date"),
        ("2015-W05-1", "is not a date"),
        ("soon", "'soon' is not a date"),
        ("2019-13", "is a month that does not exist"),
        ("2019-02-30", "is a day that does not exist"),
        ("01/06/2012", "can be read two ways"),
        ("12345", "serial number"),
        ("2300", "outside 1800 to 2200"),
        ("NaT", "is not a date"),
        ("-2000-01-01", "is not a date"),
        ("99999-01-01", "is not a date"),
    ],
)
def test_what_is_no_date(text, message):
    series = make_series(["2014-01-01", "2016-01-01"], [4.0, 2.0])
    for known in (None, series):
        with pytest.raises(eb.UsageError, match=message) as raised:
            day_of(text, known)
        assert ("no row of made has that label" in str(raised.value)) is (known is series)
