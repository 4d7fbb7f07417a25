"""Posteriors that do not exist are refused before they are sampled."""

from __future__ import annotations

import numpy as np
import pytest

import effbayes as eb
from effbayes.models import loglinear
from effbayes.models.propriety import require_proper

from .conftest import make_series

DATES = np.datetime64("2010-01-01") + 365 * np.arange(4)
LINE = np.array([8.0, 4.0, 2.0, 1.0])


def test_exact_values_on_one_line():
    with pytest.raises(eb.DataError, match="on one line"):
        eb.sample(make_series(DATES, LINE))


def test_two_values_of_one_date_alike():
    series = make_series(
        [DATES[0], DATES[0], DATES[1]], [2.0, 2.0, 1.0], value_sd=np.array([0.0, 0.0, 0.1])
    )
    with pytest.raises(eb.DataError, match="on one line"):
        require_proper(series, prior="default", robust=False)


@pytest.mark.parametrize(
    "change",
    [
        {"value_sd": np.full(4, 0.1)},
        {"date_sd_days": np.full(4, 30.0)},
        {"value": LINE * [1, 1, 1, 1.001]},
    ],
    ids=["value_sd", "date_sd", "off the line"],
)
def test_what_mends_it(change):
    require_proper(make_series(DATES, **{"value": LINE, **change}), prior="default", robust=False)


def test_two_points_are_proper_under_the_default_prior():
    require_proper(make_series(DATES[:2], LINE[:2]), prior="default", robust=False)


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (make_series(DATES[:2], LINE[:2]), "at least three"),
        (make_series(DATES, [8.0, 3.0, 2.0, 1.0], value_sd=np.full(4, 0.1)), "one line passes"),
        (
            make_series(
                DATES,
                LINE,
                value_low=LINE * 0.5,
                value_high=LINE * 1.5,
            ),
            "one line passes",
        ),
        (
            make_series(
                DATES,
                [8.0, 3.0, 2.0, 1.0],
                value_low=np.array([np.nan, np.nan, 1.0, 0.5]),
            ),
            "bounded on both sides",
        ),
    ],
    ids=["two rows", "errors on all", "line within bounds", "one-sided"],
)
def test_reference_prior_refusals(series, reason):
    with pytest.raises(eb.DataError, match=reason):
        eb.sample(series, prior="reference")


def test_bounds_that_no_line_meets_are_proper(alexnet):
    require_proper(alexnet, prior="reference", robust=False)
    require_proper(alexnet.without_bounds(), prior="reference", robust=False)


def test_robust_noise_is_refused_where_a_few_rows_line_up():
    dates = np.datetime64("2010-01-01") + 365 * np.arange(8)
    y = np.array([8, 7, 6, 5, 4, 5.3, 2.7, 0.2])
    series = make_series(dates, 2.0**y)
    require_proper(series, prior="default", robust=False)
    with pytest.raises(eb.DataError, match="robust"):
        require_proper(series, prior="default", robust=True)
    three = make_series(dates, 2.0 ** np.array([8, 7, 6, 3.1, 4.9, 5.3, 2.7, 0.2]))
    require_proper(three, prior="default", robust=True)
    with pytest.raises(eb.DataError, match="robust"):
        require_proper(three, prior="reference", robust=True)
    alike = make_series(dates[[0, 0, 0, 1, 2, 3]], 2.0 ** np.array([8, 8, 8, 6.5, 6.1, 4]))
    with pytest.raises(eb.DataError, match="robust"):
        require_proper(alike, prior="default", robust=True)


@pytest.mark.parametrize(("nu", "refused"), [((2.0, 0.1), False), ((2.0, 3.0), True)])
def test_robust_noise_is_judged_by_its_own_prior(nu, refused):
    """Four rows on a line among 34 are of account where the prior has heavy tails in mind."""
    dates = np.datetime64("2010-01-01") + 100 * np.arange(34)
    y = np.concatenate([[8.0, 7.9, 7.8, 7.7], 7.0 + np.random.default_rng(1).normal(0, 1, 30)])
    series = make_series(dates, 2.0**y)
    priors = loglinear.Priors(nu_shape=nu[0], nu_rate=nu[1])
    if refused:
        with pytest.raises(eb.DataError, match="robust"):
            loglinear.make_model(series, priors, robust=True)
    else:
        loglinear.make_model(series, priors, robust=True)


def test_shipped_series_bear_robust_noise():
    for domain in eb.domain_names():
        for series in eb.load_domain(domain).values():
            require_proper(series, prior="default", robust=True)


def test_uncertain_dates_under_flat_and_signed_priors():
    lone = make_series(DATES[[0, 0, 2]], [8.0, 7.0, 2.0], date_sd_days=np.array([0.0, 0.0, 100.0]))
    with pytest.raises(eb.DataError, match="too few dates"):
        require_proper(lone, prior="reference", robust=False)
    equal = make_series(DATES, [2.0] * 4, date_sd_days=np.full(4, 105.0))
    require_proper(equal, prior="default", robust=False)
    with pytest.raises(eb.DataError, match="equal"):
        require_proper(equal, prior="signed", robust=False)


def test_a_line_that_a_sharp_bound_excludes_is_proper():
    low = np.array([np.nan, np.nan, np.nan, 3.0])
    high = np.array([np.nan, np.nan, np.nan, 4.0])
    values = np.array([8.0, 4.0, 2.0, np.nan])
    dates = np.datetime64("2010-01-01") + 100 * np.arange(4)
    require_proper(
        make_series(dates, values, value_low=low, value_high=high), prior="default", robust=False
    )
    with pytest.raises(eb.DataError, match="one line"):
        require_proper(
            make_series(dates, values, value_low=low / 4, value_high=high),
            prior="default",
            robust=False,
        )
