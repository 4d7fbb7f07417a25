"""Posteriors that do not exist are refused before they are sampled."""

from __future__ import annotations

import numpy as np
import pytest

import effbayes as eb
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
        require_proper(series, flat_prior=False)


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
    require_proper(make_series(DATES, **{"value": LINE, **change}), flat_prior=False)


def test_two_points_are_proper_under_the_default_prior():
    require_proper(make_series(DATES[:2], LINE[:2]), flat_prior=False)


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
    require_proper(alexnet, flat_prior=True)
    require_proper(alexnet.without_bounds(), flat_prior=True)
