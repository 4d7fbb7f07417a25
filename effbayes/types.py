"""Small values and names that every floor shares; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

Direction = Literal["falling", "rising"]
"""Which way the value moves as things improve: a cost falls, a score rises."""


def sign_of(direction: Direction) -> float:
    """What the logarithm of the value gains with a doubling of efficiency: -1 for a cost."""
    return -1.0 if direction == "falling" else 1.0


Rows = Literal["all", "frontier"]
"""Which rows of a series a model is fitted to."""

PriorName = Literal["default", "signed", "reference"]

IntervalKind = Literal["eti", "hdi"]
"""Equal-tailed or highest-density credible interval."""


class Estimate(NamedTuple):
    """A posterior quantity: its median and the ends of its credible interval.

    An end (or the median) is None where the quantity does not exist, such as the longest
    doubling time of a posterior that does not exclude a rate of zero; `note` then says why.
    """

    median: float | None
    low: float | None
    high: float | None
    note: str | None = None

    def map(self, convert: Callable[[float], float]) -> Estimate:
        """The estimate of an increasing function of the quantity."""
        median, low, high = (
            None if value is None else convert(value)
            for value in (self.median, self.low, self.high)
        )
        return Estimate(median, low, high, self.note)
