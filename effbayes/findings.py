"""What is wrong in print: claims that contradict their own data, and faults of the tables.

The faults themselves are rows of ``data/corrections.csv``; every effect is computed here, from the
tables, by least squares of log2(value) on date. For two rows that is the line through them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import numpy as np

from effbayes import printed
from effbayes.dataset.series import Series
from effbayes.domains import Correction, corrections, load_series
from effbayes.posterior import years_between
from effbayes.printed import Printed, Room
from effbayes.trend import doubling_time_months

TITLES = {
    1: "the month is overwritten by 1",
    2: "ShuffleNet v2 is dated a month early, AlexNet by a conference deadline",
    3: "ResNet-50 level: factor and doubling time follow from no published number",
    4: "Seq2Seq: two printed factors differ by rounding alone",
    5: "links lead to another paper",
    6: "operations are counted differently from series to series",
    7: "Go: the first versions of the papers are weeks apart, not a year",
    8: "Dota 2: the paper and the blog post differ in the period",
    9: "epochs are whole numbers, and which of them is the last is a choice",
    10: "translation: the printed periods match the wrong dates",
    11: "nanogpt: records were timed by two rules",
    12: "ShuffleNet: one day",
    13: "figures are rounded in the published table",
}
"""Findings by number, as ``data/README.md`` has them."""

AS_PUBLISHED, AS_CORRECTED = "published table", "corrected table"


@dataclass(frozen=True)
class Observed:
    """What a series says without a model.

    Attributes
    ----------
    span, years
        First and last date of the rows used, and the time between.
    factor
        Between the first and the last of them.
    doubling_time_months
        Of the line through all of them by least squares; not finite where it is level.
    """

    n_obs: int
    span: tuple[str, str]
    years: float
    factor: float
    doubling_time_months: float


@dataclass(frozen=True)
class Effect:
    """Factor and doubling time of a series under one reading of its rows."""

    series: str
    reading: str
    factor: float
    doubling_time_months: float


@dataclass(frozen=True)
class Finding:
    """A fault of the published tables: what was printed, what is right, and what it does."""

    number: int
    title: str
    corrections: tuple[Correction, ...]
    effects: tuple[Effect, ...]


def observed(series: Series) -> Observed:
    """Count, span, factor between the ends and least-squares doubling time of the rows used.

    Parameters
    ----------
    series
        With a point value in every row used.
    """
    dates, values = series.date[series.used], series.value[series.used]
    sign = series.sign
    gain = sign * np.log2(values)
    years = np.array([years_between(series.origin, date) for date in dates])
    centred = years - years.mean()
    rate = centred @ gain / (centred @ centred)
    ends = np.argmin(dates), len(dates) - 1 - np.argmax(dates[::-1])
    return Observed(
        n_obs=len(dates),
        span=series.span,
        years=years_between(*series.ends),
        factor=float(np.exp2(gain[ends[1]] - gain[ends[0]])),
        doubling_time_months=float(doubling_time_months(rate)),
    )


def findings() -> list[Finding]:
    """Every finding of the catalogue, in order, with the effects on each series that it touches."""
    rows = sorted(corrections(), key=_number)
    found = []
    for number, group in groupby(rows, key=_number):
        members = tuple(group)
        touched = dict.fromkeys((row.domain, row.series) for row in members)
        effects = [
            effect
            for key in touched
            for effect in _effects([row for row in members if (row.domain, row.series) == key])
        ]
        found.append(Finding(number, TITLES[number], members, tuple(effects)))
    return found


def against_rate(figures: Printed, months: Room | None) -> tuple[str, ...]:
    """Where a printed factor and period do not give a doubling time."""
    implied = figures.implied_months
    if months is None or implied.agrees(months):
        return ()
    given = f"{implied.low:.3g} to {implied.high:.3g} months"
    return (f"factor and period give a doubling every {given}, not {_figure(months)}",)


def against_table(figures: Printed, series: Series) -> tuple[str, ...]:
    """Where printed figures do not follow from a table; see `effbayes.claims.CRITERIA`.

    Parameters
    ----------
    figures
        With the room that their rounding leaves.
    series
        The table as it was published; its values are rounded as they are written.
    """
    seen, ends = observed(series), _factor_of_ends(series)
    found = []
    if not figures.factor.agrees(ends):
        found.append(f"factor {_figure(figures.factor)} printed, {seen.factor:.3g} by the table")
    if not figures.years.agrees(Room(seen.years, seen.years)):
        found.append(f"period {_figure(figures.years)} y printed, {seen.years:.3g} y by the table")
    if figures.months is not None:
        # The slope scales with the doublings between the ends, which are rounded.
        doublings = seen.doubling_time_months * float(np.log2(seen.factor))
        line = Room(*(doublings / float(np.log2(end)) for end in reversed(ends)))
        by_factor = printed.doubling_times(figures.factor, Room(seen.years, seen.years))
        if not (figures.months.agrees(line) or figures.months.agrees(by_factor)):
            given = f"{seen.doubling_time_months:.3g} by the table"
            also = f"{by_factor.low:.3g} to {by_factor.high:.3g} by the printed factor"
            found.append(f"doubling time {_figure(figures.months)} mo printed, {given}, {also}")
    return tuple(found)


def _factor_of_ends(series: Series) -> Room:
    rows = np.flatnonzero(series.used)
    rows = rows[np.argsort(series.date[rows], kind="stable")]
    first, last = (
        printed.rounded(np.format_float_positional(series.value[row], trim="-"))
        for row in (rows[0], rows[-1])
    )
    if series.direction == "rising":
        first, last = last, first
    return Room(first.low / last.high, first.high / last.low)


def _figure(room: Room) -> str:
    return f"{0.5 * (room.low + room.high):.3g}"


def _number(row: Correction) -> int:
    return int(row.id.split("-")[0])


def _effects(rows: list[Correction]) -> Iterator[Effect]:
    """Readings of one series that a finding is about, the published one first."""
    published, corrected = (
        load_series(rows[0].domain, rows[0].series, published=published)
        for published in (True, False)
    )
    effect = partial(_effect, published.id)
    yield effect(AS_PUBLISHED, published)
    changes = [row for row in rows if row.field in _COLUMNS and row.published != row.corrected]
    if changes:
        yield effect("this finding corrected", _applied(published, changes))
    if any(row.field.startswith("claim.") for row in rows):
        yield effect(AS_CORRECTED, corrected)
    for row in rows:
        if row.field == "date" and row.published == row.corrected:
            for day in re.findall(r"\d{4}-\d\d-\d\d", row.reason):
                other = _applied(published, [replace(row, corrected=day)])
                yield effect(f"{row.label} on {day}", other)
    if any(row.field == "unit" for row in rows):
        yield effect("two operations for each", replace(published, value=2.0 * published.value))
    if any(row.field == "value_low" for row in rows):
        yield from _epochs(corrected)


def _epochs(series: Series) -> Iterator[Effect]:
    """The level reached an epoch earlier where that matters most, or at the other epoch named."""
    yield _effect(series.id, AS_CORRECTED, series)
    width = np.where(series.used, np.log2(series.value_high / series.value_low), 0.0)
    widest = int(np.argmax(width))
    reading = f"{series.label[widest]} an epoch earlier ({width[widest]:.2f} doublings)"
    yield _effect(series.id, reading, _with_value(series, widest, series.value_low[widest]))
    for i, note in enumerate(series.note):
        if named := re.search(r"after (\d+) of the (\d+) epochs", note):
            sooner, all_epochs = map(int, named.groups())
            changed = _with_value(series, i, series.value[i] * sooner / all_epochs)
            yield _effect(series.id, f"{series.label[i]} at {sooner} epochs", changed)


def _effect(name: str, reading: str, series: Series) -> Effect:
    found = observed(series)
    return Effect(name, reading, found.factor, found.doubling_time_months)


_COLUMNS = ("date", "value")


def _applied(series: Series, changes: list[Correction]) -> Series:
    date, value = series.date.copy(), series.value.copy()
    for change in changes:
        row = series.label.index(change.label)
        if change.field == "date":
            date[row] = np.datetime64(change.corrected)
        else:
            value[row] = float(change.corrected)
    return replace(series, date=date, value=value)


def _with_value(series: Series, row: int, value: float) -> Series:
    values = series.value.copy()
    values[row] = value
    return replace(series, value=values)
