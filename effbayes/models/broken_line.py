r"""Likelihood of a trend that changes its rate once, with the date of the change integrated out.

With c the date of the change and s the sign of the slope, the trend is

.. math::

    \mu(t) = \alpha + s\,[r_1 t + (r_2 - r_1)\,b(t, c)], \qquad
    b(t, c) = \max(t - c, 0) - \max(-c, 0)

so that alpha is its level at t = 0 on whichever side of c that lies. Given the other parameters the
density of c has a mode between any two rows, which no gradient leads across. It is therefore summed
over the middles of equal cells (`changes`); what is left is smooth.

Where rows are exact and share one noise, the sum of squares at each cell is a quadratic form whose
coefficients the parameters do not enter: a hundred rows then cost what five do. Rows with errors or
bounds of their own are gone through one by one at every cell.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import logsumexp

from effbayes.arrays import Elements, PerObs, RandomKey, Scalar
from effbayes.models.contract import Data, Parameters, is_censored

INNER = 0.8
"""Share of the span, around its middle, in which the change may lie."""

_LOG_2PI = float(np.log(2.0 * np.pi))


class Cells(NamedTuple):
    """How the date of the change is summed over; static, so part of the compiled program.

    Attributes
    ----------
    number
        Cells that the inner part of the span is divided into.
    plain
        Every row is exact and has no error of its own.
    bounded
        Some row has bounds.
    most
        Cells of either side of t = 0 are no more than this; None where that is not known.
    """

    number: int
    plain: bool
    bounded: bool
    most: int | None = None

    @property
    def one_side(self) -> int:
        """Cells that may lie on the same side of t = 0."""
        return self.number if self.most is None else self.most


def range_of_change(data: Data) -> tuple[Any, Any]:
    """Earliest and latest time of the change: the inner part of the span."""
    margin = 0.5 * (1.0 - INNER) * (data.last - data.first)
    return data.first + margin, data.last - margin


def changes(data: Data, number: int) -> Array:
    """Times of change that stand for equal cells; dims (cell,)."""
    low, high = range_of_change(data)
    return low + (high - low) * middles_of_cells(number)


def middles_of_cells(number: int) -> np.ndarray:
    """Middles of equal cells of the range, as shares of it; dims (cell,)."""
    return (np.arange(number) + 0.5) / number


def after_change(t: Any, change: Any) -> Any:
    """``b(t, c)``: what of t the second rate holds for; broadcasts."""
    return jnp.maximum(t - change, 0.0) - jnp.maximum(-change, 0.0)


class Products(NamedTuple):
    """Weighted sums over the rows of ``b(t, c)`` and its products; dims (change,)."""

    alone: Array
    with_t: Array
    with_y: Array
    squared: Array


def products(w: PerObs, y: PerObs, data: Data, change: Array) -> Products:
    """Sums of ``w b``, ``w b t``, ``w b y`` and ``w b**2`` for each time of change.

    By one product of matrices, of which rows come after a change: the sampler computes them anew
    at every step, and of all ways this is the cheapest.
    """
    late = jnp.where(data.t[None, :] > change[:, None], 1.0, 0.0)
    columns = jnp.stack([w, w * data.t, w * data.t**2, w * y, w * data.t * y], axis=-1)
    one, t, tt, y_late, ty = (late @ columns).T
    total = jnp.sum(columns, axis=0)
    shift = jnp.maximum(-change, 0.0)
    beyond = t - change * one
    return Products(
        alone=beyond - shift * total[0],
        with_t=tt - change * t - shift * total[1],
        with_y=ty - change * y_late - shift * total[3],
        squared=tt - change * (t + beyond) - shift * (2.0 * beyond - shift * total[0]),
    )


def mean_of_broken_line(values: Parameters, change: Scalar, data: Data) -> PerObs:
    """Trend at each row, in log2 of the unit."""
    b = after_change(data.t, change)
    before, after = values["rate_before"], values["rate_after"]
    return values["alpha"] + data.slope_sign * (before * (data.t - b) + after * b)


def scale_of_side(rate: Scalar, sigma: Scalar, data: Data) -> PerObs:
    """Standard deviation of each row, were it on the side of the change that has this rate."""
    return jnp.sqrt(sigma**2 + data.value_sd**2 + (rate * data.date_sd) ** 2)


def log_likelihoods(values: Parameters, data: Data, cells: Cells) -> Array:
    """Log-likelihood of all rows for each time of change; dims (cell,)."""
    if cells.plain:
        return _log_likelihoods_plain(values, data, cells)
    return _log_likelihoods_by_row(values, data, cells)


def log_marginal(values: Parameters, data: Data, cells: Cells) -> Scalar:
    """Log-likelihood with the date of the change, uniform a priori, integrated out."""
    return logsumexp(log_likelihoods(values, data, cells)) - jnp.log(cells.number)


def draw_change(key: RandomKey, values: Parameters, data: Data, cells: Cells) -> Scalar:
    """A time of change given the parameters.

    A cell by its probability, and a place in it by a density that is linear there, with the slope
    between the neighbouring cells.
    """
    log_f = log_likelihoods(values, data, cells)
    key_cell, key_place = jax.random.split(key)
    cell = jax.random.categorical(key_cell, log_f)
    f = jnp.exp(log_f - log_f[cell])
    # Neighbours may be far more likely, but then this cell is drawn next to never.
    slope = jnp.clip(jnp.gradient(f)[cell], -2.0, 2.0)
    below = 0.5 - slope / 8.0 - jax.random.uniform(key_place)
    place = -2.0 * below / (1.0 + jnp.sqrt(jnp.maximum(1.0 - 2.0 * slope * below, 0.0)))
    low, high = range_of_change(data)
    return low + (high - low) * (cell + 0.5 + place) / cells.number


def mean_rate(values: Parameters, change: Scalar, data: Data) -> Scalar:
    """Doublings per year from the first row to the last, by the trend."""
    before, after = change - data.first, data.last - change
    gained = values["rate_before"] * before + values["rate_after"] * after
    return gained / (data.last - data.first)


def _log_likelihoods_plain(values: Parameters, data: Data, cells: Cells) -> Array:
    alpha, sigma, before = values["alpha"], values["sigma"], values["rate_before"]
    step = data.slope_sign * (values["rate_after"] - before)
    y, n = data.y - data.y_mean, jnp.sum(data.mask)
    late = products(jnp.where(data.mask, 1.0, 0.0), y, data, changes(data, cells.number))

    level = alpha - data.y_mean
    residual = jnp.where(data.mask, y - level - data.slope_sign * before * data.t, 0.0)
    cross = late.with_y - level * late.alone - data.slope_sign * before * late.with_t
    squares = jnp.sum(residual**2) - 2.0 * step * cross + step**2 * late.squared
    return -0.5 * (squares / sigma**2 + n * _LOG_2PI) - n * jnp.log(sigma)


def _log_likelihoods_by_row(values: Parameters, data: Data, cells: Cells) -> Array:
    """Row by row, each at the cells of its own side of t = 0 alone.

    The trend is anchored there: a change on the other side leaves a row on the line of its own.
    """
    change = changes(data, cells.number)
    beyond = cells.number - cells.one_side
    early = data.t < 0.0
    own = jnp.where(early, change[: cells.one_side, None], change[beyond:, None])
    other = jnp.where(early, 0.0, -1e-300)[None, :]
    each = _log_densities(values, data, jnp.concatenate([own, other]), bounded=cells.bounded)
    of_early, of_late = (
        jnp.sum(jnp.where(data.mask & rows, each, 0.0), axis=-1) for rows in (early, ~early)
    )
    before = jnp.pad(of_early[:-1] + of_late[-1], (0, beyond), constant_values=-jnp.inf)
    after = jnp.pad(of_late[:-1] + of_early[-1], (beyond, 0), constant_values=-jnp.inf)
    return jnp.where(change < 0.0, before, after)


def _log_densities(values: Parameters, data: Data, change: Array, *, bounded: bool) -> Array:
    """Log density or probability of each row, for times of change with dims (change, obs)."""
    t = data.t[None, :]
    before, after = (
        1.0 / scale_of_side(values[name], values["sigma"], data)[None, :]
        for name in ("rate_before", "rate_after")
    )
    late = t > change
    precision = jnp.where(late, after, before)
    step = data.slope_sign * (values["rate_after"] - values["rate_before"])
    line = values["alpha"] + data.slope_sign * values["rate_before"] * t
    mean = line + step * after_change(t, change)
    logs = jnp.where(late, jnp.log(after), jnp.log(before))
    each = -0.5 * (((data.y[None, :] - mean) * precision) ** 2 + _LOG_2PI) + logs
    if not bounded:
        return each
    middle, width, side = (column[None, :] for column in _bounds(data))
    z, v = _window((middle - mean) * precision, width * precision, side)
    return jnp.where(is_censored(data)[None, :], log_interval(z, v), each)


def _bounds(data: Data) -> tuple[PerObs, PerObs, PerObs]:
    """Middle and width of each row's bounds; with one bound that one, and the side left open."""
    low, high = jnp.isfinite(data.low), jnp.isfinite(data.high)
    lower, upper = jnp.where(low, data.low, 0.0), jnp.where(high, data.high, 0.0)
    both = low & high
    middle = jnp.where(both, 0.5 * (lower + upper), lower + upper)
    side = jnp.where(both, 0.0, jnp.where(low, 1.0, -1.0))
    return middle, jnp.where(both, upper - lower, 1.0), side


def _window(z: Elements, width: Elements, side: Elements) -> tuple[Elements, Elements]:
    """Middle and width of bounds in units of the noise; where there is one bound, z is its place.

    The side left open ends where nothing is beyond, seen from the bound and from the trend both.
    """
    bound = side * z
    end = jnp.maximum(bound, -OPEN) + 2.0 * OPEN
    both = side == 0.0
    return jnp.where(both, z, 0.5 * side * (bound + end)), jnp.where(both, width, end - bound)


OPEN = 50.0
"""Beyond so many units of the noise there is no probability that double precision could tell."""

_MILLS = (
    *(1.9280810471531524, -1.6678665952019187, 1.2415470615981938, -0.7859110749227671),
    *(0.41364471457847746, -0.1732547428823885, 0.052125518623965764, -0.007503226830983844),
    *(-0.002000065088537244, 0.0013656685692915655, -0.0001484817979949495),
    *(-0.00012436233788750572, 4.1125305172284656e-05, 9.546255912436138e-06),
    *(-6.151893777317307e-06, -5.559386515828705e-07, 5.748112509309685e-07),
)
"""Coefficients in (x - 5) / (x + 5) of (x + 5) times Mills' ratio, by Chebyshev interpolation."""

_NARROW = 1e-2
_DENSITY_AT_ZERO = float(1.0 / np.sqrt(2.0 * np.pi))


@jax.custom_jvp
def log_interval(z: Elements, width: Elements) -> Elements:
    """Log-probability of ``(z - width / 2, z + width / 2)`` under the standard normal.

    Within 1e-10 for z within 40 of zero, at a twentieth of the cost of
    `effbayes.models.censoring.log_interval_normal`: the sum over dates of change asks for it for
    every row at every cell.

    Parameters
    ----------
    z, width
        Middle and width, finite, width > 0. Any one shape.
    """
    return _log_interval(z, width)[0]


@log_interval.defjvp
def _log_interval_jvp(primals: Any, tangents: Any) -> Any:
    value, by_z, by_width = _log_interval(*primals)
    return value, by_z * tangents[0] + by_width * tangents[1]


def _log_interval(z: Elements, width: Elements) -> tuple[Elements, Elements, Elements]:
    """Value and both slopes; by Mills' ratios of the ends, on the side where they are small."""
    x = jnp.abs(z)
    a, b = x - 0.5 * width, x + 0.5 * width
    narrow = width * (1.0 + x) < _NARROW
    straddles = a < 0.0
    near = jnp.where(straddles, 0.0, 0.5 * a**2)
    at_a = jnp.exp(near - 0.5 * a**2)
    at_b = jnp.exp(near - 0.5 * b**2)
    tail_a, tail_b = at_a * _mills(jnp.abs(a)), at_b * _mills(b)
    inside = jnp.where(
        straddles, 1.0 / _DENSITY_AT_ZERO - tail_a - tail_b, jnp.maximum(tail_a - tail_b, 1e-300)
    )
    thin = width**2 * (x**2 - 1.0) / 24.0 - 0.5 * (x**2 + _LOG_2PI)
    value = jnp.log(jnp.where(narrow, width, _DENSITY_AT_ZERO * inside))
    value += jnp.where(narrow, thin, -near)
    by_x = jnp.where(narrow, -x * (1.0 - width**2 / 12.0), (at_b - at_a) / inside)
    by_width = jnp.where(
        narrow, 1.0 / width + width * (x**2 - 1.0) / 12.0, 0.5 * (at_a + at_b) / inside
    )
    return value, jnp.sign(z) * by_x, by_width


def _mills(x: Elements) -> Elements:
    """``(1 - Phi(x)) / phi(x)`` for x >= 0, to a relative 1e-12."""
    inverse = 1.0 / (x + 5.0)
    t = (x - 5.0) * inverse
    total = jnp.full_like(t, _MILLS[-1])
    for coefficient in _MILLS[-2::-1]:
        total = total * t + coefficient
    return total * inverse
