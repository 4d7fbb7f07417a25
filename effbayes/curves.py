r"""The trend of each model as plain arithmetic of its draws: level, rate, gain, and when.

Time is in years from the series' origin (the mean date of the rows used), level is log2 of the
series' unit, rate is in doublings of efficiency per year, and `sign` is -1 for a falling series, 1
for a rising one. Three shapes:

- `Line`: one rate throughout (loglinear, frontier, records, a member of hierarchical).
- `Bend`: two rates, joined at a date (changepoint).
- `Path`: a rate that drifts (drift), known at knots. Between two of them the trend is the cubic
  that matches level and rate at both, which is its mean given those states; beyond the outermost
  ones it goes on as the model says it does, by steps drawn from the integrated Wiener process: over
  h years

.. math::

    f' = f \pm (h r + \varepsilon_1), \quad r' = r + \varepsilon_2, \qquad
    \mathrm{Cov}(\varepsilon) = q^2 \begin{pmatrix} h^3/3 & h^2/2 \\ h^2/2 & h \end{pmatrix}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Draws = NDArray[np.floating[Any]]
"""Draws of one quantity, dims (chain, draw)."""

OverTime = NDArray[np.floating[Any]]
"""Draws at some dates, dims (chain, draw, time)."""

Times = NDArray[np.floating[Any]]
"""Years from the origin, dims (time,)."""

STEPS_PER_YEAR = 12
COARSENING = 0.02
"""Steps of a search beyond the knots, as a share of the distance from them."""

BISECTIONS = 50


class Curve(Protocol):
    """The trend of a model, one for each posterior draw."""

    def level(self, years: ArrayLike) -> OverTime:
        """Log2 of the value at dates; dims (chain, draw, time)."""

    def rate(self, years: ArrayLike) -> OverTime:
        """Doublings of efficiency per year at dates; dims (chain, draw, time)."""

    def gain(self, start: float, years: float) -> Draws:
        """Doublings of efficiency gained in `years` from `start`; dims (chain, draw)."""

    def reaches(self, level: float, start: float, end: float) -> Draws:
        """When the trend first is at a level or better, in years from the origin.

        Parameters
        ----------
        level
            Log2 of the value.
        start, end
            Where a date is sought. Shapes that can be solved are: their dates may lie outside.

        Returns
        -------
        numpy.ndarray
            Dims (chain, draw). Infinity where it is never so (for `Path`: not until `end`), minus
            infinity where it is so at `start` and no date is known at which it began.
        """


@dataclass(frozen=True, eq=False)
class Line:
    """A straight line.

    Attributes
    ----------
    alpha
        Level at the origin, dims (chain, draw).
    slope
        Rate, dims (chain, draw).
    sign
        Direction of the series.
    """

    alpha: Draws
    slope: Draws
    sign: float

    def level(self, years: ArrayLike) -> OverTime:
        """Log2 of the value; see `Curve`."""
        return self.alpha[..., None] + self.sign * self.slope[..., None] * _times(years)

    def rate(self, years: ArrayLike) -> OverTime:
        """The rate, at every date the same; see `Curve`."""
        return np.repeat(self.slope[..., None], len(_times(years)), axis=-1)

    def gain(self, start: float, years: float) -> Draws:  # noqa: ARG002 - the same from any date
        """Doublings gained; see `Curve`."""
        return self.slope * years

    def reaches(self, level: float, start: float, end: float) -> Draws:  # noqa: ARG002 - solved exactly
        """Date of a level; see `Curve`."""
        found = _solved(self.sign * (level - self.alpha), self.slope)
        already = self.sign * (self.level(start)[..., 0] - level) >= 0.0
        return np.where(self.slope > 0.0, found, np.where(already, -np.inf, np.inf))


@dataclass(frozen=True, eq=False)
class Bend:
    """Two straight lines, joined at a date; every attribute but `sign` has dims (chain, draw).

    Attributes
    ----------
    alpha
        Level at the origin, on whichever line that lies.
    before, after
        Rates.
    change
        Date of the change, in years from the origin.
    sign
        Direction of the series.
    """

    alpha: Draws
    before: Draws
    after: Draws
    change: Draws
    sign: float

    def level(self, years: ArrayLike) -> OverTime:
        """Log2 of the value; see `Curve`."""
        gained = self._since_change(_times(years)) - self._since_change(np.zeros(1))
        return self.alpha[..., None] + self.sign * gained

    def rate(self, years: ArrayLike) -> OverTime:
        """The rate of the side that a date is on; see `Curve`."""
        early = _times(years) < self.change[..., None]
        return np.where(early, self.before[..., None], self.after[..., None])

    def gain(self, start: float, years: float) -> Draws:
        """Doublings gained; see `Curve`."""
        ends = self._since_change(np.array([start, start + years]))
        return np.asarray(ends[..., 1] - ends[..., 0])

    def reaches(self, level: float, start: float, end: float) -> Draws:  # noqa: ARG002 - solved exactly
        """Date of a level; see `Curve`."""
        at_change = self.alpha - self.sign * self._since_change(np.zeros(1))[..., 0]
        needed = self.sign * (level - at_change)
        early = self.change + _solved(needed, self.before)
        late = self.change + _solved(needed, self.after)
        already = self.sign * (self.level(start)[..., 0] - level) >= 0.0
        # A first line that falls behind is at the level from the beginning, if it ever is.
        on_first = (needed <= 0.0) | ((self.before <= 0.0) & already & (start < self.change))
        first = np.where(self.before > 0.0, early, -np.inf)
        return np.where(on_first, first, np.where(self.after > 0.0, late, np.inf))

    def _since_change(self, years: Times) -> OverTime:
        """Doublings gained since the change, negative before it."""
        away = years - self.change[..., None]
        return np.where(away < 0.0, self.before[..., None], self.after[..., None]) * away


class _States(NamedTuple):
    """Level and rate at some dates; dims (chain, draw, time), or (chain, draw) at one."""

    level: OverTime
    rate: OverTime


@dataclass(frozen=True, eq=False)
class Path:
    """A drifting rate.

    What lies beyond the knots is drawn from `seed`: the same dates give the same draws. Dates asked
    for together lie on one path, dates asked for apart agree in distribution.

    Attributes
    ----------
    knots
        Years from the origin, rising; dims (knot,).
    levels, rates
        Level and rate there, dims (chain, draw, knot).
    drift
        q, the standard deviation of the rate's change in one year; dims (chain, draw).
    sign
        Direction of the series.
    seed
        Of the draws beyond the knots.
    """

    knots: Times
    levels: OverTime
    rates: OverTime
    drift: Draws
    sign: float
    seed: tuple[int, ...]

    def level(self, years: ArrayLike) -> OverTime:
        """Log2 of the value; see `Curve`."""
        return self._states(_times(years)).level

    def rate(self, years: ArrayLike) -> OverTime:
        """The rate; see `Curve`."""
        return self._states(_times(years)).rate

    def gain(self, start: float, years: float) -> Draws:
        """Doublings gained; see `Curve`."""
        ends = self.level([start, start + years])
        return np.asarray(self.sign * (ends[..., 1] - ends[..., 0]))

    def reaches(self, level: float, start: float, end: float) -> Draws:
        """Date of a level; see `Curve`.

        Sought month by month, and beyond the knots by steps of a month or 2 % of the distance,
        whichever is longer; within a step the trend is the cubic between its ends.
        """
        times = self._search(start, end)
        states = self._states(times)
        ahead = self.sign * (states.level - level)
        reached = ahead >= 0.0
        step = np.maximum(reached.argmax(axis=-1), 1)[..., None]
        left = _States(
            *(np.take_along_axis(x, step - 1, axis=-1)[..., 0] for x in (ahead, states.rate))
        )
        right = _States(
            *(np.take_along_axis(x, step, axis=-1)[..., 0] for x in (ahead, states.rate))
        )
        begin, width = times[step[..., 0] - 1], np.diff(times)[step[..., 0] - 1]
        found = begin + width * _crossing(left, right, width)
        found = np.where(reached.any(axis=-1), found, np.inf)
        return np.where(reached[..., 0], -np.inf, found)

    def _search(self, start: float, end: float) -> Times:
        times = [start]
        while times[-1] < end:
            beyond = max(times[-1] - self.knots[-1], self.knots[0] - times[-1], 0.0)
            times.append(times[-1] + max(1.0 / STEPS_PER_YEAR, COARSENING * beyond))
        return np.array([*times[:-1], end])

    def _states(self, years: Times) -> _States:
        first, last = self.knots[0], self.knots[-1]
        found = self._between(np.clip(years, first, last))
        for side, edge, way in ((0, -1, 1.0), (1, 0, -1.0)):
            away = way * (years - self.knots[edge])
            beyond = away > 0.0
            if np.any(beyond):
                walked = self._walk(edge, way, away[beyond], side)
                found.level[..., beyond], found.rate[..., beyond] = walked
        return found

    def _between(self, years: Times) -> _States:
        """Cubic between the states at the neighbouring knots."""
        left = np.clip(np.searchsorted(self.knots, years, side="right") - 1, 0, len(self.knots) - 2)
        width = np.diff(self.knots)[left]
        before, after = (
            _States(self.sign * self.levels[..., i], self.rates[..., i]) for i in (left, left + 1)
        )
        level, rate = _cubic(before, after, width, (years - self.knots[left]) / width)
        return _States(self.sign * level, rate)

    def _walk(self, edge: int, way: float, away: Times, side: int) -> _States:
        """Random steps from the first or last knot outwards, over distances in years."""
        rng = np.random.default_rng(np.random.SeedSequence([*self.seed, side]))
        distances, place = np.unique(away, return_inverse=True)
        level, rate = self.levels[..., edge], self.rates[..., edge]
        shape = (*level.shape, len(distances))
        walked = _States(np.empty(shape), np.empty(shape))
        for i, h in enumerate(np.diff(distances, prepend=0.0)):
            one, other = rng.standard_normal((2, *level.shape))
            strayed = self.drift * h**1.5 * (0.5 * one + other / np.sqrt(12.0))
            level = level + way * self.sign * (rate * h + strayed)
            rate = rate + self.drift * np.sqrt(h) * one
            walked.level[..., i], walked.rate[..., i] = level, rate
        return _States(walked.level[..., place], walked.rate[..., place])


def curve_of(
    model: str,
    draws: Mapping[str, NDArray[Any]],
    *,
    span: tuple[float, float],
    sign: float,
    seed: tuple[int, ...],
) -> Curve:
    """The trend of a model.

    Parameters
    ----------
    model
        Name of the model.
    draws
        Posterior draws by name: ``alpha`` and ``rate``; for changepoint ``rate_before``,
        ``rate_after`` and ``changepoint``; for drift ``drift`` and, with dims (chain, draw, knot),
        ``path_level`` and ``path_rate`` at knots equally spaced over the span.
    span
        First and last date of the rows used, in years from the origin.
    sign
        Direction of the series.
    seed
        Of what a model draws beyond the dates of its rows.
    """
    if model == "changepoint":
        rates = draws["rate_before"], draws["rate_after"]
        return Bend(draws["alpha"], *rates, draws["changepoint"], sign)
    if model == "drift":
        levels, rates_at = draws["path_level"], draws["path_rate"]
        knots = np.linspace(*span, levels.shape[-1])
        return Path(knots, levels, rates_at, draws["drift"], sign, seed)
    return Line(draws["alpha"], draws["rate"], sign)


def _times(years: ArrayLike) -> Times:
    return np.atleast_1d(np.asarray(years, dtype=np.float64))


def _solved(doublings: Draws, rate: Draws) -> Draws:
    """Years that doublings take; whatever where the rate is not positive."""
    return np.asarray(doublings / np.where(rate > 0.0, rate, 1.0))


def _cubic(left: _States, right: _States, width: Any, share: Any) -> _States:
    """Level and rate at a share of a step, from those at its ends (Hermite's cubic)."""
    rise = right.level - left.level
    bend_left, bend_right = width * left.rate - rise, width * right.rate - rise
    rest = 1.0 - share
    bulge = rest * bend_left - share * bend_right
    level = left.level + share * rise + share * rest * bulge
    slope = rise + (rest - share) * bulge - share * rest * (bend_left + bend_right)
    return _States(level, slope / width)


def _crossing(left: _States, right: _States, width: Any) -> Draws:
    """Share of a step at which a cubic, negative at its start and not at its end, is zero."""
    low, high = np.zeros(left.level.shape), np.ones(left.level.shape)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        below = _cubic(left, right, width, middle).level < 0.0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(high)
