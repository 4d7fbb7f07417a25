"""What the prior of a run says: of its parameters, and of rows that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from effbayes import wording
from effbayes.report import pictures
from effbayes.report.document import Block, Cell, Paragraph, Section, Table
from effbayes.report.tables import columns, number, text

if TYPE_CHECKING:
    from effbayes.analysis import Analysis

SHOWN = 3
"""Rows that are shown: the first, the middle one and the last."""


def section(fit: Analysis, ci: float) -> Section:
    """Densities of prior and posterior, and the prior predictive check."""
    blocks: list[Block] = []
    if fit.settings["prior"] == "reference":
        blocks.append(
            Paragraph("The reference prior is flat and cannot be drawn: see the model below.")
        )
    else:
        blocks.append(pictures.prior_posterior(fit))
        blocks += predictive_check(fit, ci)
    return Section("priors", "What the prior says, and what the data changed", tuple(blocks))


def predictive_check(fit: Analysis, ci: float) -> list[Block]:
    """Rows beside what the prior alone expects of them.

    Parameters
    ----------
    fit
        With a proper prior.
    ci
        Probability of the equal-tailed intervals.
    """
    drawn = fit.arrays("prior_predictive")
    if not drawn:
        return []
    rows = np.flatnonzero(fit.series.used)
    expected = drawn["y"].reshape(-1, len(rows))
    low, middle, high = np.quantile(expected, [(1.0 - ci) / 2.0, 0.5, (1.0 + ci) / 2.0], axis=0)
    seen = fit.arrays("observed_data")["y"]
    inside = int(np.sum((low <= seen) & (seen <= high)))
    by_date = np.argsort(fit.series.date[rows], kind="stable")
    places = np.unique(np.linspace(0, len(rows) - 1, SHOWN).round().astype(int))
    with np.errstate(over="ignore"):
        cells = tuple(
            (
                text(fit.series.label[rows[i]]),
                text(str(fit.series.date[rows[i]].astype("datetime64[D]"))),
                number(_value(fit, rows[i])),
                Cell(_interval(*(float(np.exp2(end[i])) for end in (middle, low, high)))),
            )
            for i in by_date[places]
        )
    heads = (
        *columns("system", "date"),
        *columns("value", numeric=1),
        *columns(f"expected by the prior ({100 * ci:g} %)"),
    )
    caption = (
        "Prior predictive check: rows beside what the prior alone expects of them, before it has "
        f"seen any. {inside} of {np.isfinite(seen).sum()} rows with a value lie within their "
        "intervals. The level is centred on the mean of the rows, so this is a check of the trend "
        "and the scatter."
    )
    return [Table("prior-predictive", caption, heads, cells)]


def _value(fit: Analysis, row: int) -> float | None:
    value = float(fit.series.value[row])
    return value if np.isfinite(value) else None


def _interval(median: float, low: float, high: float) -> str:
    ends = (median, low, high)
    shown = [wording.number(end) if np.isfinite(end) else "beyond 1e308" for end in ends]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"
