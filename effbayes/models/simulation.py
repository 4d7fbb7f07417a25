"""A data set drawn from a model, as a table would report it: what calibration fits.

Dates, errors and priors are those of a template; values and bounds are new. A row with two bounds
stands for a grid of cells as wide as they are, and is reported as the cell that its new value falls
in. A row with one bound stands for a threshold: a value beyond it is known to be so and no more,
any other is exact.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from effbayes.arrays import PerObs
from effbayes.models.contract import Data

_SMALLEST_SPREAD = 0.05


class Reported(NamedTuple):
    """Values as a table has them, in log2; any one shape."""

    y: Any
    low: Any
    high: Any


def reported(value: Any, low: Any, high: Any) -> Reported:
    """What a table says of values, given the bounds of the template; elementwise.

    Parameters
    ----------
    value
        log2 of what came out.
    low, high
        log2 of the template's bounds, infinite where there is none.
    """
    below, above = jnp.isfinite(low), jnp.isfinite(high)
    cell = below & above
    floor = jnp.where(below, low, 0.0)
    width = jnp.where(cell, jnp.where(above, high, 1.0) - floor, 1.0)
    start = floor + width * jnp.floor((value - floor) / width)
    # One bound: beyond it that is all that is known, on its other side the value is.
    hidden = jnp.where(below, value > low, value < high) & (below ^ above)
    known = jnp.where(below, low, high)
    y = jnp.where(cell, start + 0.5 * width, jnp.where(hidden, known, value))
    new_low = jnp.where(cell, start, jnp.where(hidden & below, low, -jnp.inf))
    new_high = jnp.where(cell, start + width, jnp.where(hidden & above, high, jnp.inf))
    return Reported(y, new_low, new_high)


def with_values(data: Data, new: Reported) -> Data:
    """A data set with other values and bounds; priors keep what they took from the template.

    Parameters
    ----------
    data
        The template, dims (obs,).
    new
        Dims (obs,); of padding anything.
    """
    y, low, high = (
        jnp.where(data.mask, each, old)
        for each, old in zip(new, (data.y, data.low, data.high), strict=True)
    )
    n = jnp.sum(data.mask)

    def mean(x: PerObs) -> Any:
        return jnp.sum(jnp.where(data.mask, x, 0.0)) / n

    t, v = data.t - mean(data.t), y - mean(y)
    slope = mean(t * v) / mean(t**2)
    spread = n * mean((v - slope * t) ** 2) / jnp.maximum(n - 2, 1)
    # Where searches and chains start; the posterior does not depend on them.
    rate, about_line, about_mean = jax.lax.stop_gradient(
        (data.slope_sign * slope, spread, mean(v**2))
    )
    return data._replace(
        y=y,
        low=low,
        high=high,
        rate_guess=rate,
        sigma_guess=jnp.sqrt(about_line + _SMALLEST_SPREAD**2),
        sigma_far=jnp.sqrt(about_mean + _SMALLEST_SPREAD**2),
    )
