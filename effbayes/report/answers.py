"""Rows of label and text that say what a run found: of any model, and of one that has more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from effbayes.wording import doubling_time, estimate, probability

Rows = list[tuple[str, str]]


def of_the_trend(said: Mapping[str, Any]) -> Rows:
    """Rate, factors and P(progress); the doubling time is said by those who print them.

    Parameters
    ----------
    said
        As `effbayes.summary.summarize` has it.
    """
    factors = said["efficiency_factor"]
    assumed = said["prior"] == "default"
    return [
        ("rate, doublings per year", estimate(said["rate_per_year"])),
        ("factor per year", estimate(said["factor_per_year"])),
        ("factor over the span, trend", estimate(factors["trend"])),
        ("factor over the span, new systems", estimate(factors["predictive"])),
        ("factor over the span, observed", estimate(factors["observed"])),
        (
            "P(progress)",
            "assumed by this prior" if assumed else probability(said["prob_progress"]),
        ),
    ]


def of_parameters(said: Mapping[str, Any]) -> Rows:
    """Parameters of the model."""
    return [(name, estimate(each)) for name, each in said["parameters"].items()]


def of_the_change(change: Mapping[str, Any]) -> Rows:
    """Date of a change of the rate, and what it changed."""
    date = change["date"]
    before, after = (change[f"doubling_time_{when}_months"] for when in ("before", "after"))
    rows = [
        ("date of the change", f"{date['median']} ({date['low']} to {date['high']})"),
        ("doubling time before", doubling_time(before, "months")),
        ("doubling time after", doubling_time(after, "months")),
        ("P(faster after the change)", probability(change["prob_faster_after"])),
    ]
    if "rate_ratio" in change:
        rows.append(("rate after / rate before", estimate(change["rate_ratio"])))
    return rows
