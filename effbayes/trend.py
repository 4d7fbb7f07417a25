"""Plain arithmetic of an exponential trend; rates may be floats or arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

MONTHS_PER_YEAR = 12.0
DAYS_PER_YEAR = 365.25


def doubling_time_months(rate: Any) -> Any:
    """Months per doubling of efficiency, from doublings per year.

    Parameters
    ----------
    rate
        Doublings of efficiency per year; not zero. Negative means decline.
    """
    return MONTHS_PER_YEAR / rate


def rate_per_year(doubling_time: Any) -> Any:
    """Doublings of efficiency per year, from months per doubling."""
    return MONTHS_PER_YEAR / doubling_time


def factor(rate: Any, years: Any) -> Any:
    """Efficiency factor ``2**(rate * years)``: how many times less cost for the same level."""
    return np.exp2(rate * years)
