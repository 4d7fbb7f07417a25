r"""Published claims judged: against the numbers printed with them, and against a posterior.

A claim is judged twice. Does it follow from what was printed with it (`Row.contradictions`)? And
does it hold once the data are corrected? A doubling time or a factor holds if it lies within the
credible interval of the corrected data; a comparison holds if its posterior probability is at least
that of the interval. A figure of a reference rate has no posterior: it agrees with the rate's own
doubling time, or it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from effbayes import posterior as post
from effbayes import printed
from effbayes.dataset.series import Series
from effbayes.diagnostics import Chains
from effbayes.domains import (
    Claim,
    PrintedFigure,
    ReferenceRate,
    load_series,
    printed_figures,
    reference_rate,
)
from effbayes.findings import Observed, against_rate, against_table, observed
from effbayes.posterior import Interval
from effbayes.printed import Printed, Room
from effbayes.trend import MONTHS_PER_YEAR, factor, rate_per_year
from effbayes.types import Estimate

CRITERIA = {
    "doubling_time_months": "holds if it lies within the interval of the corrected data",
    "factor": "holds if it lies within the interval of the trend's factor, corrected data",
    "faster": "holds if its probability is at least that of the interval, corrected data",
    "reference": "agrees if, within the rounding of all figures, factor and period give its rate",
    "reproducible": (
        "a claim follows from its own data if, within the rounding of all figures, its factor and "
        "period are those of its table, and its doubling time is that of the line through its "
        "table, or what its factor gives over the period of its table"
    ),
}
"""What the words mean, as the command line and the JSON say it."""


@dataclass(frozen=True)
class Posterior:
    """A quantity under one state of the data, and P(as claimed or more progress)."""

    estimate: Estimate
    prob: float


@dataclass(frozen=True)
class Assessment:
    """One quantity that a claim states.

    Attributes
    ----------
    quantity
        ``"doubling_time_months"``, ``"factor"`` over `years`, or ``"faster"``: the factor over
        `years`, with the probability that the rate exceeds the reference's.
    claimed
        As printed; for ``"faster"`` the factor of the reference.
    published, corrected
        Posteriors with the data as they were published, and as corrected.
    holds
        By the rule of `CRITERIA`, with the corrected data.
    """

    quantity: str
    claimed: float
    years: float | None
    published: Posterior
    corrected: Posterior
    holds: bool


@dataclass(frozen=True)
class Row:
    """A claim with its data, its contradictions and its assessments.

    Attributes
    ----------
    kind
        ``"rate"``, ``"factor"``, ``"comparison"``, ``"product"`` or ``"reference"``.
    printed_factor, printed_years, printed_months
        As printed; None where no doubling time is.
    implied_months, implied_months_range
        Doubling time that the printed factor gives over the printed period, and within rounding.
    published, corrected
        The rows of its series before and after corrections; None where it has no series.
    contradictions
        Where printed figures contradict each other or the published table; empty if nowhere.
    still_contradicts
        The same of the corrected table.
    """

    kind: str
    claim: str
    domain: str
    series: str
    reference: str
    printed_factor: float
    printed_years: float
    printed_months: float | None
    implied_months: float
    implied_months_range: tuple[float, float]
    published: Observed | None
    corrected: Observed | None
    contradictions: tuple[str, ...]
    still_contradicts: tuple[str, ...]
    assessments: tuple[Assessment, ...]
    source: str
    note: str


@dataclass(frozen=True)
class Reference:
    """A rate to compare with, and what it makes of the factor printed for Moore's law.

    Attributes
    ----------
    factor, years
        What the rate gives over the period of that factor.
    printed_factor
        What was printed for the same period.
    agrees
        Whether the rate gives it, within rounding.
    """

    rate: ReferenceRate
    factor: float
    years: float
    printed_factor: float
    agrees: bool


@dataclass(frozen=True)
class _Table:
    """A series under one state of its data, the part that a claim is about, and its draws."""

    series: Series
    rate: Chains

    @property
    def observed(self) -> Observed:
        return observed(self.series)


_Tables = tuple[_Table, _Table]
"""As published, and as corrected."""


@dataclass(frozen=True)
class Judge:
    """Turns claims into rows.

    Attributes
    ----------
    rates
        Draws of the rate by series and whether the data are as published.
    interval
        Probability and kind of every credible interval.
    """

    rates: Mapping[tuple[str, bool], Chains]
    interval: Interval

    def rate(self, claim: Claim) -> Row:
        """A doubling time, with the factor and the period that it is printed with."""
        figures = printed.read(claim.text)
        if not claim.series:
            found = against_rate(figures, figures.months)
            return _row("rate", claim, figures, (found, found))
        tables = self._tables(claim.domain, claim.series)
        assessments = (
            self._doubling_time(tables, claim.doubling_time_months),
            self._factor(tables, claim.factor, (claim.period_years,) * 2),
        )
        return _row("rate", claim, figures, _against(figures, tables), tables, assessments)

    def figure(self, claim: PrintedFigure) -> Row:
        """A factor over a period: of a series, of a reference rate, or of both together."""
        figures = printed.read(claim.text)
        if claim.kind == "reference":
            found = against_rate(figures, _rate_of(claim))
            return _row("reference", claim, figures, (found, found))
        tables = self._tables(claim.domain, claim.series, claim.until)
        if claim.kind == "comparison":
            contradictions = (against_rate(figures, _rate_of(claim)),) * 2
            assessment = self._faster(tables, claim)
        else:
            hardware = 1.0 if claim.kind == "factor" else _share_of_reference(claim)
            # A product of two rounded factors is known no better than each.
            share = replace(figures, factor=printed.rounded(f"{claim.factor / hardware:g}"))
            contradictions = _against(share, tables)
            years = (claim.period_years,) * 2
            if claim.until:  # calendar years: the days between the two systems say it better
                years = (tables[0].observed.years, tables[1].observed.years)
            assessment = self._factor(tables, claim.factor, years, hardware)
        return _row(claim.kind, claim, figures, contradictions, tables, (assessment,))

    def _tables(self, domain: str, name: str, until: str = "") -> _Tables:
        first, second = (self._table(domain, name, until, published) for published in (True, False))
        return first, second

    def _table(self, domain: str, name: str, until: str, published: bool) -> _Table:
        series = load_series(domain, name, published=published)
        if until:
            meant = series.used & (series.date <= series.date_of(until))
            series = series.select(meant, f"until {until}")
        return _Table(series, self.rates[series.id, published])

    def _doubling_time(self, tables: _Tables, claimed: float) -> Assessment:
        published, corrected = (
            Posterior(
                post.doubling_time(rate, self.interval),
                post.prob_faster(rate, rate_per_year(claimed)),
            )
            for rate in _rates(tables)
        )
        holds = _within(claimed, corrected.estimate)
        return Assessment("doubling_time_months", claimed, None, published, corrected, holds)

    def _factor(
        self, tables: _Tables, claimed: float, years: tuple[float, float], other: float = 1.0
    ) -> Assessment:
        """Factor of the trend over each table's period, times that of another rate."""
        needed = float(np.log2(claimed / other))
        published, corrected = (
            Posterior(
                post.trend_factor(rate, period, self.interval).map(lambda value: value * other),
                post.prob_faster(rate, needed / period),
            )
            for rate, period in zip(_rates(tables), years, strict=True)
        )
        holds = _within(claimed, corrected.estimate)
        return Assessment("factor", claimed, years[1], published, corrected, holds)

    def _faster(self, tables: _Tables, claim: PrintedFigure) -> Assessment:
        """The trend's factor beside the reference's, and P(the rate exceeds the reference's)."""
        reference = rate_per_year(_reference(claim).doubling_time_months)
        published, corrected = (
            Posterior(
                post.trend_factor(rate, claim.period_years, self.interval),
                post.prob_faster(rate, reference),
            )
            for rate in _rates(tables)
        )
        holds = corrected.prob >= self.interval.prob
        return Assessment("faster", claim.factor, claim.period_years, published, corrected, holds)


def _against(figures: Printed, tables: _Tables) -> tuple[tuple[str, ...], tuple[str, ...]]:
    published, corrected = (against_table(figures, table.series) for table in tables)
    return published, corrected


def _rates(tables: _Tables) -> tuple[Chains, Chains]:
    """Draws of the rate with the data as published and as corrected."""
    published, corrected = (table.rate for table in tables)
    return published, corrected


def _within(claimed: float, estimate: Estimate) -> bool:
    """Inside an interval whose missing upper end is open."""
    if estimate.low is None:
        return False
    return estimate.low <= claimed and (estimate.high is None or claimed <= estimate.high)


def _reference(claim: PrintedFigure) -> ReferenceRate:
    return reference_rate(claim.reference)


def compared(rate: ReferenceRate) -> Reference:
    """A rate beside the first factor that was printed of a reference: Moore's law."""
    first = next(one for one in printed_figures() if one.kind == "reference")
    months = Room(rate.doubling_time_months, rate.doubling_time_months)
    return Reference(
        rate=rate,
        factor=float(factor(rate_per_year(rate.doubling_time_months), first.period_years)),
        years=first.period_years,
        printed_factor=first.factor,
        agrees=not against_rate(printed.read(first.text), months),
    )


def _rate_of(claim: PrintedFigure) -> Room:
    months = _reference(claim).doubling_time_months
    return Room(months, months)


def _share_of_reference(claim: PrintedFigure) -> float:
    """The printed factor of the reference rate that a product of two factors contains."""
    [found] = [
        one.factor
        for one in printed_figures()
        if one.kind == "reference" and one.reference == claim.reference
    ]
    return found


def _row(
    kind: str,
    claim: Claim | PrintedFigure,
    figures: Printed,
    contradictions: tuple[tuple[str, ...], tuple[str, ...]],
    tables: _Tables | None = None,
    assessments: tuple[Assessment, ...] = (),
) -> Row:
    implied = figures.implied_months
    return Row(
        kind=kind,
        claim=claim.text,
        domain=claim.domain,
        series=claim.series,
        reference=getattr(claim, "reference", ""),
        printed_factor=claim.factor,
        printed_years=claim.period_years,
        printed_months=getattr(claim, "doubling_time_months", None),
        implied_months=MONTHS_PER_YEAR * claim.period_years / float(np.log2(claim.factor)),
        implied_months_range=(implied.low, implied.high),
        published=tables[0].observed if tables else None,
        corrected=tables[1].observed if tables else None,
        contradictions=contradictions[0],
        still_contradicts=contradictions[1],
        assessments=assessments,
        source=claim.source,
        note=claim.note,
    )
