"""Runs that many tests look at, sampled once."""

from __future__ import annotations

import numpy as np
import pytest

import effbayes as eb


def make_series(date, value, **columns):
    """A series from bare columns; what is not given is exact, used and unlabelled."""
    n = len(date)
    none, zero = np.full(n, np.nan), np.zeros(n)
    full = {
        "name": "made",
        "domain": "",
        "unit": "unit",
        "direction": "falling",
        "label": tuple(f"row {i}" for i in range(n)),
        "date": np.array(date, dtype="datetime64[D]"),
        "date_sd_days": zero,
        "value": np.array(value, dtype=float),
        "value_low": none,
        "value_high": none,
        "value_sd": zero,
        "frontier": np.ones(n, dtype=bool),
        "used": np.ones(n, dtype=bool),
    }
    return eb.Series(**{**full, **columns})


@pytest.fixture(scope="session")
def alexnet():
    return eb.load_series("imagenet", "alexnet-training")


@pytest.fixture(scope="session")
def alexnet_fit(alexnet):
    return eb.sample(alexnet, seed=1)


@pytest.fixture(scope="session")
def signed_fit():
    """A posterior that does not exclude decline."""
    series = make_series(["2015-01-01", "2016-01-01", "2017-01-01"], [8.0, 9.0, 7.0])
    return eb.sample(series, prior="signed", seed=2)
