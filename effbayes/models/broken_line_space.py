"""Whitened coordinates of a broken line: where samplers move in place of its parameters.

Given sigma and the date c of the change, least squares says where the two rates and the level lie
and how sharply. Over c these are mixed, each weighed by how well it fits at that sigma: sigma may
then shrink without the rates becoming a funnel. One parameter after the other is measured from
where the mixture has it, given those before, because dates of the change that fit differ in what
they say of the rest. Where some say it sharply and others do not, a coordinate is narrow in the
middle and wide in its tails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from effbayes.arrays import Count, Position, RandomKey, Scalar
from effbayes.models.axes import combine, softplus_inverse
from effbayes.models.broken_line import changes, products
from effbayes.models.contract import Data
from effbayes.models.priors import TrendPriors
from effbayes.models.trend_space import FARTHEST
from effbayes.trend import rate_per_year

ALPHA, BEFORE, AFTER, SIGMA = range(4)
DIM = 4

_FITS = 32
_FLOOR = 1e-12
_WIDEST = 10.0
_SWITCH = 9.0  # squared rate in standard errors at which the data take over from the prior


class Fits(NamedTuple):
    """Least squares with the change at each of `_FITS` times, at the spread about one line.

    Rates are less `Data.rate_guess`; all but the scalars have dims (fit,).
    """

    before: Array
    after: Array
    var_before: Array
    var_after: Array
    covariance: Array
    gain: Array
    """By how much half the sum of squares is less than that of one line."""
    log_volume: Array
    time_after: Array
    """Mean of ``b(t, c)``."""
    time: Scalar
    level: Scalar
    weight: Scalar
    residual: Scalar
    """Spread about the best of them, in doublings."""


class Guess(NamedTuple):
    """Where a rate lies about."""

    centre: Any
    variance: Any
    stretch: Any = 1.0
    """How many times wider than in the middle its tails are."""


@dataclass(frozen=True)
class BrokenLineSpace:
    """The map from whitened coordinates to alpha, both rates and sigma.

    Parameters
    ----------
    priors
        Kind "default" or "signed".
    rates_sd
        Prior standard deviation of each rate, or of its logarithm where progress is assumed.
    correlation
        Of the two.
    """

    priors: TrendPriors
    rates_sd: float
    correlation: float

    def unwhiten(self, position: Position, data: Data) -> tuple[dict[str, Scalar], Scalar]:
        """Parameters at a position and the log Jacobian of (alpha, both rates, sigma)."""
        fits = fit_each_change(data, self._typical)
        x, width = self._sigma_axis(position[SIGMA], data, fits)
        # Not exp: a half-normal's right tail stays a parabola, no cliff to diverge at.
        sigma, log_jacobian = jax.nn.softplus(x), jax.nn.log_sigmoid(x) + jnp.log(width)
        sharper = jnp.sum(weights(sigma, data)) / fits.weight

        prior = Guess(self._typical if self.priors.kind == "default" else 0.0, self.rates_sd**2)
        # What a fit stands for reaches to its neighbours, along the line from one to the next.
        along_before, along_after = (
            0.5 * jnp.asarray(jnp.gradient(each)) for each in (fits.before, fits.after)
        )
        var_before = fits.var_before / sharper + along_before**2
        log_share = fits.log_volume + sharper * fits.gain
        guess = mixed(log_share, data.rate_guess + fits.before, var_before)
        before, log_slope = self._rate(position[BEFORE], guess, prior)
        log_jacobian += log_slope

        off = before - data.rate_guess - fits.before
        log_share += _log_normal(off, var_before)
        slope = (fits.covariance / sharper + along_before * along_after) / var_before
        centre = data.rate_guess + fits.after + slope * off
        variance = fits.var_after / sharper + along_after**2 - slope**2 * var_before
        prior = Guess(self._expected_after(before), self.rates_sd**2 * (1.0 - self.correlation**2))
        after, log_slope = self._rate(position[AFTER], mixed(log_share, centre, variance), prior)
        log_jacobian += log_slope

        share = jax.nn.softmax(log_share + _log_normal(after - centre, variance))
        time_after = jnp.sum(share * fits.time_after)
        spread = jnp.sum(share * (fits.time_after - time_after) ** 2)
        step = data.slope_sign * (after - before)
        level = fits.level - data.slope_sign * before * fits.time - step * time_after
        variance = 1.0 / (sharper * fits.weight) + step**2 * spread
        centre, scale = combine(level, 1.0 / variance, data.y_mean, self.priors.alpha_sd**-2)
        alpha = centre + scale * position[ALPHA]
        values = {"alpha": alpha, "rate_before": before, "rate_after": after, "sigma": sigma}
        return values, log_jacobian + jnp.log(scale)

    def start(self, key: RandomKey, data: Data, *, far: Count) -> Position:
        """About the centre, or all over the place and with the spread about no trend at all."""
        z = jax.random.normal(key, (DIM,)) * jnp.where(far, 2.0, 0.3)
        fits = fit_each_change(data, self._typical)
        centre, width = self._sigma_axis(jnp.zeros(()), data, fits)
        sigma = jnp.where(data.sigma_far > 1.0, jnp.sqrt(data.sigma_far), data.sigma_far)
        away = jnp.clip((softplus_inverse(sigma) - centre) / width, -FARTHEST, FARTHEST)
        return z.at[SIGMA].add(jnp.where(far, away, 0.0))

    @property
    def _typical(self) -> float:
        """About the size of a rate by its prior."""
        if self.priors.kind == "default":
            return rate_per_year(self.priors.doubling_time_median)
        return self.rates_sd

    def _expected_after(self, before: Scalar) -> Scalar:
        """What the prior expects of the second rate, given the first."""
        if self.priors.kind == "default":
            return self._typical * (before / self._typical) ** self.correlation
        return self.correlation * before

    def _rate(self, z: Scalar, fitted: Guess, expected: Guess) -> tuple[Scalar, Scalar]:
        """Rate at a coordinate, and the log of its slope there.

        By data and prior, both normal; where progress is assumed, its standard error times a
        softplus, as in `effbayes.models.trend_space`.
        """
        if self.priors.kind == "signed":
            centre, scale = combine(
                fitted.centre, 1.0 / fitted.variance, expected.centre, 1.0 / expected.variance
            )
            away, log_slope = stretched(z, fitted.stretch)
            return centre + scale * away, jnp.log(scale) + log_slope
        error = jnp.sqrt(fitted.variance)
        signal = jax.nn.softplus(fitted.centre / error)
        prior = softplus_inverse(expected.centre / error)
        centre = (signal**3 + _SWITCH * prior) / (signal**2 + _SWITCH)
        away, log_slope = stretched(z, fitted.stretch)
        x = centre + away
        return error * jax.nn.softplus(x), jnp.log(error) + jax.nn.log_sigmoid(x) + log_slope

    def _sigma_axis(self, z: Scalar, data: Data, fits: Fits) -> tuple[Scalar, Scalar]:
        width = (1.0 + 2.0 * jnp.sum(data.mask)) ** -0.5
        guess = jnp.where(fits.residual > 1.0, jnp.sqrt(fits.residual), fits.residual)
        return softplus_inverse(guess) + width * z, width


def weights(sigma: Scalar, data: Data) -> Array:
    """Inverse variance of each row, about; dims (obs,). One-sided rows count for nothing."""
    two_sided = jnp.isfinite(data.low) & jnp.isfinite(data.high)
    one_sided = jnp.isfinite(data.low) ^ jnp.isfinite(data.high)
    width = jnp.where(two_sided, jnp.where(two_sided, data.high - data.low, 0.0), 0.0)
    variance = sigma**2 + data.value_sd**2 + (data.rate_guess * data.date_sd) ** 2
    return jnp.where(data.mask & ~one_sided, 1.0 / (variance + width**2 / 12.0), 0.0)


def fit_each_change(data: Data, typical: float) -> Fits:
    """Least squares of the broken line for each time of change; depends on the data alone.

    A ridge, as wide as the rate of one line and the prior's, holds what few rows say little of.
    """
    w = weights(data.sigma_guess, data)
    two_sided = jnp.isfinite(data.low) & jnp.isfinite(data.high)
    y = jnp.where(two_sided, 0.5 * jnp.where(two_sided, data.low + data.high, 0.0), data.y)
    y = jnp.where(data.mask, y - data.y_mean, 0.0)
    weight = jnp.sum(w) + _FLOOR
    time, level = jnp.sum(w * data.t) / weight, jnp.sum(w * y) / weight
    t = data.t - time
    residual = y - level - data.slope_sign * data.rate_guess * t

    late = products(w, residual, data, changes(data, _FITS))
    time_after = late.alone / weight
    # Weighted covariances of t and b(t, c), their own and with the residual of one line.
    tt, tr = jnp.sum(w * t**2), jnp.sum(w * t * residual)
    tb = late.with_t - late.alone * time
    bb = late.squared - late.alone * time_after
    ridge = (jnp.abs(data.rate_guess) + typical) ** -2
    p, q, pq = tt - 2.0 * tb + bb + ridge, bb + ridge, tb - bb
    determinant = p * q - pq**2
    by_late = data.slope_sign * (late.with_y - time_after * jnp.sum(w * residual))
    by_early = data.slope_sign * tr - by_late
    before = (q * by_early - pq * by_late) / determinant
    after = (p * by_late - pq * by_early) / determinant
    gain = 0.5 * (before * by_early + after * by_late)
    squares = jnp.maximum(jnp.sum(w * residual**2) - 2.0 * jnp.max(gain), 0.0)
    freedoms = jnp.maximum(jnp.sum(data.mask) - DIM, 1)
    spread = jnp.sqrt(squares * data.sigma_guess**2 / freedoms + 0.05**2)
    return Fits(
        before=before,
        after=after,
        var_before=q / determinant,
        var_after=p / determinant,
        covariance=-pq / determinant,
        gain=gain,
        log_volume=-0.5 * jnp.log(determinant),
        time_after=time_after,
        time=time,
        level=data.y_mean + level,
        weight=weight,
        residual=spread,
    )


def mixed(log_share: Array, centre: Array, variance: Array) -> Guess:
    """Where a mixture of normal densities has its peak, how sharp that is, and how wide its tails.

    Parameters
    ----------
    log_share
        Log weights, up to a constant; dims (fit,).
    centre, variance
        Of each, dims (fit,).
    """
    share = jax.nn.softmax(log_share)
    height = share * variance**-0.5
    sharpness = jnp.sum(height)
    peak = jnp.sum(height * centre) / sharpness
    total = jnp.sum(share * (variance + (centre - peak) ** 2))
    stretch = jnp.sqrt(total) * sharpness
    return Guess(peak, sharpness**-2, jnp.minimum(stretch, _WIDEST))


def stretched(z: Scalar, stretch: Scalar) -> tuple[Scalar, Scalar]:
    """A coordinate with tails that many times wider than its middle, and the log of its slope."""
    beyond = jax.nn.softplus(z - 1.0) - jax.nn.softplus(-z - 1.0)
    slope = 1.0 + (stretch - 1.0) * (jax.nn.sigmoid(z - 1.0) + jax.nn.sigmoid(-z - 1.0))
    return z + (stretch - 1.0) * beyond, jnp.log(slope)


def _log_normal(off: Array, variance: Array) -> Array:
    return -0.5 * (off**2 / variance + jnp.log(variance))
