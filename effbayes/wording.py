"""Estimates in words, with the digits that are printed: the same ones in every format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def number(value: float | None) -> str:
    """Three significant digits; a dash where there is none."""
    if value is None:
        return "-"
    if value == 0.0 or 1e-3 <= abs(value) < 1e5:
        digits = f"{value:#.3g}"
        return digits.rstrip(".") if "e" not in digits else f"{value:.0f}"
    return f"{value:.2e}"


def estimate(value: Mapping[str, Any], unit: str = "") -> str:
    """``15.7 months (12.9 to 21.1)``; what does not exist is a dash, with the reason after it."""
    note = value.get("note")
    if value["median"] is None and value["low"] is None:
        return str(note or "-")
    after = f" {unit}" if unit else ""
    ends = f"{number(value['low'])} to {number(value['high'])}"
    because = f"; {note}" if note else ""
    return (
        f"{number(value['median'])}{after if value['median'] is not None else ''} ({ends}{because})"
    )


def doubling_time(value: Mapping[str, Any], unit: str = "") -> str:
    """As `estimate`; an upper end past which there may be no progress is said in words."""
    if value["high"] is not None or value["low"] is None:
        return estimate(value, unit)
    after = f" {unit}" if unit else ""
    middle = "" if value["median"] is None else f"{number(value['median'])}{after}; "
    return f"{middle}longer than {number(value['low'])}{after}, or no progress"


def probability(value: float) -> str:
    """Three decimals; never 0 or 1, which a finite number of draws cannot show."""
    if not 0.0005 <= value < 0.9995:
        return "< 0.001" if value < 0.5 else "> 0.999"
    return f"{value:.3f}"


def diagnostic(value: float | None, digits: int) -> str:
    """A figure of a sampler, which may not exist: of chains that never moved.

    Examples
    --------
    >>> diagnostic(1.00042, 4), diagnostic(float("nan"), 4), diagnostic(float("inf"), 4)
    ('1.0004', 'undefined', 'infinite')
    """
    if value is None or math.isnan(value):
        return "undefined"
    return f"{value:.{digits}f}" if math.isfinite(value) else "infinite"
