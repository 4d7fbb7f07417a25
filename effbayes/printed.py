"""What a claim says in print: its figures with the room that rounding leaves them.

A printed figure stands for everything that rounds to it: 44 for 43.5 to 44.5, and 0.75 for 0.745 to
0.755. Two figures contradict each other where no values within their rounding agree.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

from effbayes.trend import DAYS_PER_YEAR, MONTHS_PER_YEAR

MONTHS = {"year": MONTHS_PER_YEAR, "month": 1.0, "day": MONTHS_PER_YEAR / DAYS_PER_YEAR}

_FIGURE = re.compile(
    r"(?P<factor>[\d,.]*\d)x "
    r"(?:in (?P<low>[\d.]+)(?: to (?P<high>[\d.]+))? (?P<unit>year|month)s?"
    r"|from (?P<first>\d{4}) to (?P<last>\d{4}))"
    r"(?:, doubling every (?P<time>[\d.]+) (?P<time_unit>month|day)s?)?$"
)


class Room(NamedTuple):
    """Values that a printed figure may stand for."""

    low: float
    high: float

    def agrees(self, other: Room) -> bool:
        """Whether any value is in both."""
        return self.low <= other.high and other.low <= self.high

    def times(self, scale: float) -> Room:
        """The same in another unit."""
        return Room(self.low * scale, self.high * scale)


@dataclass(frozen=True)
class Printed:
    """Figures of one claim with their rounding; the doubling time in months, where printed."""

    factor: Room
    years: Room
    months: Room | None

    @property
    def implied_months(self) -> Room:
        """Doubling times that factor and period allow."""
        return doubling_times(self.factor, self.years)


def read(claim: str) -> Printed:
    """Figures of a claim, which ends with them: ``9x in 1 year, doubling every 4 months``.

    Parameters
    ----------
    claim
        The factor, ``in`` a period or ``from`` one calendar year ``to`` another, and perhaps a
        doubling time. Between two calendar years lie their difference, less or more a year.

    Raises
    ------
    ValueError
        It has no such figures.

    Examples
    --------
    >>> read("GNMT to Transformer: 9x in 1 year, doubling every 4 months").months
    Room(low=3.5, high=4.5)
    """
    found = _FIGURE.search(claim)
    if found is None:
        raise ValueError(f"{claim!r} does not end with a factor and a period")
    if found["first"] is not None:
        apart = float(found["last"]) - float(found["first"])
        years = Room(apart - 1.0, apart + 1.0)
    else:
        span = rounded(found["low"])
        if found["high"] is not None:
            span = Room(float(found["low"]), float(found["high"]))
        years = span.times(MONTHS[found["unit"]] / MONTHS_PER_YEAR)
    months = None
    if found["time"] is not None:
        months = rounded(found["time"]).times(MONTHS[found["time_unit"]])
    return Printed(rounded(found["factor"].replace(",", "")), years, months)


def rounded(figure: str) -> Room:
    """Values that round to a decimal figure: half a unit of its last digit either way.

    Zeros that end a whole number of four digits or more are no digits: 1500 is 15 hundred.

    Examples
    --------
    >>> rounded("3.5"), rounded("10"), rounded("1500")
    (Room(low=3.45, high=3.55), Room(low=9.5, high=10.5), Room(low=1450.0, high=1550.0))
    """
    whole, _, decimals = figure.partition(".")
    zeros = len(whole) - len(whole.rstrip("0")) if len(whole) > 3 and not decimals else 0
    half = 0.5 * 10.0 ** (zeros - len(decimals))
    return Room(round(float(figure) - half, 12), round(float(figure) + half, 12))


def doubling_times(factor: Room, years: Room) -> Room:
    """Doubling times in months of factors over periods; every factor above one."""
    low, high = (MONTHS_PER_YEAR * t for t in years)
    return Room(low / math.log2(factor.high), high / math.log2(factor.low))
