r"""A trend that changes its rate once: two rates, joined at a date that is not known.

.. math::

    y_i \sim \mathrm{Normal}(\mu(t_i),\ s_i), \qquad
    \mu(t) = \alpha - r_1 [t - b(t, c)] - r_2\, b(t, c), \qquad
    b(t, c) = \max(t - c, 0) - \max(-c, 0)

with y = log2(value), t in years from the mean date, rates in doublings of efficiency per year (for
a rising series their signs turn), c uniform over the inner 80 % of the span of the rows, and
``s_i**2 = sigma**2 + value_sd**2 + (r date_sd)**2`` with the rate of the side that the row's date
is stated on. alpha is the level at t = 0 whatever c is, so that with ``r_1 = r_2`` this is the
log-linear model, parameter for parameter.

Priors are of the middle of the two rates and of the change, which are independent: the geometric
mean has the log-linear model's prior, and the log of the ratio is normal around zero with standard
deviation `Priors.ratio_sdlog` (kind "signed": arithmetic mean and difference). Neither side of the
change is preferred, both rates have the same prior, and as its width goes to zero the model becomes
the log-linear one. Rates that are independent of each other would do no such thing: with the
log-linear prior of each, the rate changes more than three-fold with probability one half, before
anything is seen, and a rate that few rows speak of would forget what the others say.

c is integrated out when sampling (`effbayes.models.broken_line`), and drawn given the parameters of
each draw. ``rate`` is then the mean rate over the span of the rows: what the trend gained, over the
years that it took.

The posterior exists unless the exact rows lie on a broken line, more of them than it has freedoms:
the noise could then be zero. There is no reference prior: it would ask for more than that, since
four exact values that a broken line with a knee between them fits have no posterior under it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from effbayes.arrays import Count, PerObs, Position, RandomKey, Scalar
from effbayes.dataset.series import Series
from effbayes.errors import DataError, UsageError
from effbayes.models.broken_line import (
    INNER,
    Cells,
    draw_change,
    log_marginal,
    mean_rate,
    middles_of_cells,
    range_of_change,
)
from effbayes.models.broken_line_space import BrokenLineSpace
from effbayes.models.contract import Data, OneSeries, Parameters, data_from_series
from effbayes.models.priors import ChangepointPriors
from effbayes.models.propriety import require_proper
from effbayes.models.simulation import reported, with_values
from effbayes.trend import MONTHS_PER_YEAR, doubling_time_months

if TYPE_CHECKING:
    from effbayes.models.changepoint_program import Program

Floats = NDArray[np.float64]

LEAST_DATES = 4
"""As many as a broken line has freedoms."""


Priors = ChangepointPriors


@dataclass(frozen=True)
class Changepoint(OneSeries):
    """The changepoint model as a `effbayes.models.contract.Model`.

    Parameters
    ----------
    priors
        Prior distributions.
    cells
        How the date of the change is integrated out.
    alike
        Rows have about one variance, whatever sigma is: see `BrokenLineSpace`.
    """

    priors: Priors = field(default_factory=Priors)
    cells: Cells = field(default_factory=lambda: Cells(256, plain=False, bounded=True))
    alike: bool = True
    name: str = "changepoint"

    @property
    def prior_name(self) -> str:
        """Kind of prior, as the command line names it."""
        return self.priors.kind

    @property
    def parameters(self) -> tuple[str, ...]:
        """Scalar parameters beside the mean rate, in the order they are shown."""
        return ("alpha", "sigma", "rate_before", "rate_after", "changepoint")

    @property
    def space(self) -> BrokenLineSpace:
        """The map from positions to parameters."""
        if self.priors.kind == "default":
            middle, change = self.priors.doubling_time_sdlog, self.priors.ratio_sdlog
        else:
            middle, change = self.priors.rate_sd, self.priors.change_sd
        variance, half = middle**2 + 0.25 * change**2, 0.5 * change**2
        # Bounds leave the knee less sharp, and cost enough by themselves.
        fits = 8 if self.cells.bounded else 24
        return BrokenLineSpace(self.priors, variance**0.5, 1.0 - half / variance, fits, self.alike)

    def program(self) -> Program:
        """The NumPyro program."""
        from effbayes.models.changepoint_program import Program  # noqa: PLC0415 - NumPyro is slow

        return Program(self.priors, self.cells.bounded)

    def log_density(self, position: Position, data: Data) -> Scalar:
        """Log joint density of position and data, the date of the change integrated out."""
        values, log_jacobian = self.space.unwhiten(position, data)
        if self.priors.kind == "default":
            # From both rates to the doubling time of their middle and the log of their ratio.
            before, after = values["rate_before"], values["rate_after"]
            log_jacobian += jnp.log(MONTHS_PER_YEAR) - 1.5 * jnp.log(before * after)
        prior = self.program().log_prior(values, data)
        return prior + log_marginal(values, data, self.cells) + log_jacobian

    def constrain(self, position: Position, data: Data) -> dict[str, Scalar]:
        """alpha, rate_before, rate_after and sigma at a position."""
        return self.space.unwhiten(position, data)[0]

    def complete(self, key: RandomKey, values: Parameters, data: Data) -> dict[str, Array]:
        """Draw the date of the change given the parameters; the rate that follows.

        Returns
        -------
        dict
            ``changepoint`` in years from the mean date of the rows, ``rate`` from the first row to
            the last and, where progress is assumed, its ``doubling_time`` in months.
        """
        change = draw_change(key, values, data, self.cells)
        return {"changepoint": change} | self._mean(values, change, data)

    def initial(self, key: RandomKey, data: Data, *, far: Count) -> Position:
        """A jittered start."""
        return self.space.start(key, data, far=far)

    def log_prior(self, values: Parameters, data: Data) -> Scalar:
        """Log prior density of alpha, sigma, the middle of the rates and their change.

        As in `Priors`; that of the date of the change is uniform and left out.
        """
        return self.program().log_prior(values, data)

    def log_likelihood(self, values: Parameters, data: Data) -> PerObs:
        """Pointwise log-likelihood given all parameters, ``changepoint`` too; zero for padding."""
        observed = self.program().observed(values, data)
        return jnp.where(data.mask, observed.log_prob(data.y), 0.0)

    def predict(self, key: RandomKey, values: Parameters, data: Data) -> PerObs:
        """A replicated log2 value at each row."""
        return self.program().observed(values, data).sample(key)

    def simulate(self, key: RandomKey, values: Parameters, data: Data) -> Data:
        """A data set drawn from the parameters, the date of the change among them."""
        new = self.predict(key, values, data)
        return with_values(data, reported(new, data.low, data.high))

    def noise(self, key: RandomKey, values: Parameters, shape: tuple[int, ...]) -> Array:
        """Deviation of a new system from the trend, in doublings."""
        return values["sigma"] * jax.random.normal(key, shape)

    @property
    def has_proper_prior(self) -> bool:
        """True: every kind of prior that there is."""
        return True

    def prior_draw(self, key: RandomKey, data: Data) -> dict[str, Scalar]:
        """Parameters, the date of the change and the mean rate, drawn from the prior."""
        values = self.program().prior_draw(key, data)
        return values | self._mean(values, values["changepoint"], data)

    def check(self, series: Series) -> None:
        """Refuse a series for which the posterior is improper or the model says nothing.

        Raises
        ------
        DataError
            Fewer than four dates, or exact rows on one broken line.
        """
        dates = len(np.unique(series.date[series.used]))
        if dates < LEAST_DATES:
            raise DataError(
                f"{series.id}: a change of rate needs at least {LEAST_DATES} different dates, "
                f"there are {dates}; use model loglinear"
            )
        require_proper(series, prior=self.priors.kind, robust=False)
        _refuse_broken_line(series)

    def describe(self) -> dict[str, Any]:
        """Name, noise, priors, and how the date of the change is treated."""
        return {
            "model": self.name,
            "noise": "normal",
            "priors": asdict(self.priors),
            "changepoint": {"prior": f"uniform over the inner {INNER:.0%} of the span"}
            | {"cells": self.cells.number},
        }

    def _mean(self, values: Parameters, change: Scalar, data: Data) -> dict[str, Array]:
        rate = mean_rate(values, change, data)
        if self.priors.kind == "default":
            return {"rate": rate, "doubling_time": doubling_time_months(rate)}
        return {"rate": rate}


def make_model(series: Series, priors: Priors, *, robust: bool) -> Changepoint:
    """The model value for a series, checked against it.

    Raises
    ------
    UsageError
        Robust noise.
    DataError
        As `Changepoint.check`, or the date of the change would be known more sharply than
        `MOST_CELLS` can tell.
    """
    if robust:
        raise UsageError("model changepoint has normal noise alone; leave out robust")
    Changepoint(priors).check(series)
    used = series.used
    bounded = (np.isfinite(series.value_low) | np.isfinite(series.value_high))[used].any()
    errors = series.value_sd[used].any() or series.date_sd_days[used].any()
    plain = not (bounded or errors)
    best = _best_of_all(series)
    number = _cells_needed(series, best, LEAST_CELLS if plain else LEAST_CELLS_BY_ROW)
    most = None if plain else _most_on_one_side(series, number)
    cells = Cells(number, plain=plain, bounded=bool(bounded), most=most)
    own = np.max(best.by_value + best.by_date)
    return Changepoint(priors, cells, alike=bool(own <= MOST_OF_ITS_OWN * best.noise**2))


LEAST_CELLS, LEAST_CELLS_BY_ROW, MOST_CELLS = 256, 16, 4096
CELLS_PER_SD = 1.1
"""Cells to a standard deviation of the date of the change, given the rest, at the best fit.

The rule of middles errs by ``2 exp(-2 (pi k)**2)`` for a normal density with k cells to its
standard deviation: by 1e-10 there, and by less than a hundredth where the noise is half of that.
"""

MOST_OF_ITS_OWN = 0.25
"""Variance of its own that a row may have, in units of the noise's, and still count as the others:
coordinates that follow each row's errors as sigma changes cost three times as much a step."""

_LEAST_NOISE = 0.05  # doublings: as many rows as freedoms do not say that there is less
_ON_A_LINE = 1e-9  # doublings, as in `effbayes.models.propriety`


class _Best(NamedTuple):
    """The broken line that fits best, among the rows of a series; dims of arrays (obs,)."""

    t: Floats
    by_value: Floats
    by_date: Floats
    """Variance of each row by its errors and bounds, and by its date at the rate of one line."""
    change: float
    step: float
    """Of the slope, there."""
    noise: float
    """Spread about it, in doublings."""
    within: float
    """Years in which the change may lie."""


def _best_of_all(series: Series) -> _Best:
    data = data_from_series(series)
    n = series.n_obs
    t, y, low, high = (np.asarray(x)[:n] for x in (data.t, data.y, data.low, data.high))
    first, last = range_of_change(data)
    c, step, noise = _best_fit(t, y, np.linspace(first, last, 401))
    if n == LEAST_DATES:
        noise = max(noise, _LEAST_NOISE)
    width = np.where(np.isfinite(low) & np.isfinite(high), high - low, 0.0)
    by_value = np.asarray(data.value_sd)[:n] ** 2 + width**2 / 12.0
    by_date = np.asarray(data.rate_guess * data.date_sd)[:n] ** 2
    return _Best(t, by_value, by_date, c, step, noise, last - first)


def _cells_needed(series: Series, best: _Best, least: int) -> int:
    """Cells that resolve the date of the change; a power of two or three times one.

    Raises
    ------
    DataError
        More than `MOST_CELLS`.
    """
    moving = best.t > best.change if best.change > 0.0 else best.t < best.change
    variance = np.maximum(np.maximum(best.noise**2, best.by_value), 1e-300)
    information = best.step**2 * np.sum(moving / variance)
    wanted = CELLS_PER_SD * best.within * np.sqrt(information)
    number = least
    while number < wanted:
        number = number * 3 // 2 if number & (number - 1) == 0 else number * 4 // 3
        if number > MOST_CELLS:
            raise DataError(
                f"{series.id}: the values lie so close to a broken line that the date of its knee "
                "cannot be resolved; state the measurement error of the values (value_sd)"
            )
    return number


def _most_on_one_side(series: Series, number: int) -> int:
    """Cells before t = 0 or after it, whichever are more, in eighths: few programs serve all.

    A middle next to zero counts for both, for the device may round it to either side.
    """
    low, high = range_of_change(data_from_series(series))
    middle = low + (high - low) * middles_of_cells(number)
    near = 1e-9 * (high - low)
    most = max(int(np.sum(middle < near)), int(np.sum(middle > -near)))
    eighth = max(number // 8, 1)
    return min(-(-most // eighth) * eighth, number)


def _best_fit(t: Floats, y: Floats, dates: Floats) -> tuple[float, float, float]:
    """The date of the change with least squares, the change of slope there, and the spread."""
    line = np.linalg.qr(np.column_stack([np.ones_like(t), t]))[0]
    # What a knee at each date adds to a line, and what the line leaves; dims (obs, date).
    knee = np.maximum(t[:, None] - dates, 0.0)
    size = np.sum(knee**2, axis=0)
    knee -= line @ (line.T @ knee)
    left = y - line @ (line.T @ y)
    beyond = np.sum(knee**2, axis=0)
    step = np.where(beyond > 1e-12 * size, left @ knee / np.maximum(beyond, 1e-300), 0.0)
    squares = np.sum((left[:, None] - step * knee) ** 2, axis=0)
    best = int(np.argmin(squares))
    noise = np.sqrt(squares[best] / (len(t) - LEAST_DATES + 1))
    return float(dates[best]), float(step[best]), float(noise)


def _refuse_broken_line(series: Series) -> None:
    """Refuse exact rows on a broken line that has fewer freedoms than there are rows.

    Such a line fits with any noise down to zero. It has two freedoms on each side where two dates
    or more are, one where there is one: with a knee between two lines its date is no further one.
    """
    used = series.used
    bounds = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    exact = used & ~bounds & (series.value_sd == 0.0) & (series.date_sd_days == 0.0)
    days = series.date.astype("datetime64[D]").astype(np.float64)
    first, last = days[used].min(), days[used].max()
    t, y = (days[exact] - first) / (last - first), np.log2(series.value[exact])
    dates = np.unique(t)
    inner = 0.5 * (1.0 - INNER)
    for k in range(len(dates) + 1):
        low = max(inner, dates[k - 1] if k else inner)
        high = min(1.0 - inner, dates[k] if k < len(dates) else 1.0)
        early = np.isin(t, dates[:k])
        sides = [(t[side], y[side]) for side in (early, ~early)]
        freedoms = min(k, 2) + min(len(dates) - k, 2)
        if len(t) <= freedoms or low > high:
            continue
        lines = [_line(*side) for side in sides]
        if any(line is None for line in lines):
            continue
        if freedoms == LEAST_DATES and not _cross(lines, low, high):
            continue
        raise DataError(
            f"{series.id}: {len(t)} exact values lie on one broken line, so the noise could be "
            "zero and no interval exists; state the measurement error of the values (value_sd)"
        )


def _line(t: Floats, y: Floats) -> Floats | None:
    """Slope and level of the line that points lie on; None where they lie on none."""
    if not len(t):
        return np.zeros(2)
    line = np.polyfit(t, y, min(len(np.unique(t)) - 1, 1))
    fits = np.max(np.abs(y - np.polyval(line, t))) < _ON_A_LINE
    return np.asarray(line) if fits else None


def _cross(lines: Any, low: float, high: float) -> bool:
    """Whether two lines meet between two dates."""
    apart = np.array([np.polyval(lines[0], t) - np.polyval(lines[1], t) for t in (low, high)])
    return bool(apart[0] * apart[1] <= 0.0 or np.min(np.abs(apart)) < _ON_A_LINE)
