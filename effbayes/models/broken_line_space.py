"""Whitened coordinates of a broken line: where samplers move in place of its parameters.

Given sigma and the date c of the change, least squares says where the two rates and the level lie
and how sharply. Over c these are mixed, each weighed by how well it fits at that sigma: sigma may
then shrink without the rates becoming a funnel. One parameter after the other is measured from
where the mixture has it, given those before, because dates of the change that fit differ in what
they say of the rest. Where some say it sharply and others do not, a coordinate is narrow in the
middle and wide in its tails (`effbayes.models.mixture`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from effbayes.arrays import Count, PerObs, Position, RandomKey, Scalar
from effbayes.models import as_normal
from effbayes.models.axes import combine, softplus_inverse
from effbayes.models.broken_line import changes, products
from effbayes.models.contract import Data
from effbayes.models.mixture import along, shares
from effbayes.models.population import LEAST_SIGNAL, curvature, log_time_at_mode
from effbayes.models.priors import TrendPriors
from effbayes.models.trend_space import FARTHEST
from effbayes.trend import rate_per_year

ALPHA, BEFORE, AFTER, SIGMA = range(4)
DIM = 4

_FLOOR = 1e-12
_NEWTON_STEPS = 4


class Fits(NamedTuple):
    """Normal equations with the change at each of some times, at some noise.

    Of rates less `Data.rate_guess`; all but the scalars have dims (fit,).
    """

    early: Array
    late: Array
    both: Array
    """Precision of the first rate, of the second, and of the two together."""
    by_early: Array
    by_late: Array
    """What the rows say of each, times its precision."""
    time_after: Array
    """Mean of ``b(t, c)``."""
    time: Scalar
    level: Scalar
    weight: Scalar
    ridge: Scalar
    """Precision about the rate of one line that holds what few rows say little of."""
    residual: Scalar
    """Spread about the best of them, in doublings."""

    def at(self, sharper: Scalar | float) -> Solved:
        """Rates where the rows' precisions are that many times those of the equations.

        The ridge stays what it is: the fewer rows speak of a rate, the more sigma decides of it.
        """
        early, late = sharper * self.early + self.ridge, sharper * self.late + self.ridge
        both, by_early, by_late = (
            sharper * each for each in (self.both, self.by_early, self.by_late)
        )
        determinant = early * late - both**2
        before = (late * by_early - both * by_late) / determinant
        after = (early * by_late - both * by_early) / determinant
        gain = 0.5 * (before * by_early + after * by_late)
        return Solved(
            before=before,
            after=after,
            var_before=late / determinant,
            var_after=early / determinant,
            covariance=-both / determinant,
            gain=gain,
            log_share=gain - 0.5 * jnp.log(determinant),
        )


class Solved(NamedTuple):
    """The rates less `Data.rate_guess` for each time of change, at one sigma; dims (fit,)."""

    before: Array
    after: Array
    var_before: Array
    var_after: Array
    covariance: Array
    gain: Array
    """By how much half the weighted sum of squares is less than that of one line."""
    log_share: Array
    """Log marginal likelihood, up to a constant."""


class Estimate(NamedTuple):
    """Mean and variance of a rate, for each time of change or given one."""

    mean: Any
    variance: Any


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
    fits
        Times of change that the coordinates are made of.
    alike
        Errors and bounds of rows are small beside the noise, or there are none: the less noise, the
        sharper all rows alike. Otherwise the exact rows decide more and more as sigma shrinks.
    """

    priors: TrendPriors
    rates_sd: float
    correlation: float
    fits: int
    alike: bool

    def unwhiten(self, position: Position, data: Data) -> tuple[dict[str, Scalar], Scalar]:
        """Parameters at a position and the log Jacobian of (alpha, both rates, sigma)."""
        guess = weights(data.sigma_guess, data)
        fits = fit_each_change(guess, data, self._typical, self.fits)
        x, width = self._sigma_axis(position[SIGMA], data, fits)
        # Not exp: a half-normal's right tail stays a parabola, no cliff to diverge at.
        sigma, log_jacobian = jax.nn.softplus(x), jax.nn.log_sigmoid(x) + jnp.log(width)
        own = weights(sigma, data)
        if not self.alike:
            fits = fit_each_change(own, data, self._typical, self.fits)
        sharper = jnp.sum(own) / fits.weight
        solved = fits.at(sharper)

        before, log_share, second, log_slope = self._first(position[BEFORE], solved, data)
        log_jacobian += log_slope
        peak, log_prior = self._peaks(second, self._expected_after(before))
        after, log_slope = self._rate(position[AFTER], log_share + log_prior, second, peak)
        log_share += _log_normal(after - second.mean, second.variance)
        log_jacobian += log_slope

        share = shares(log_share)
        time_after = jnp.sum(share * fits.time_after)
        spread = jnp.sum(share * (fits.time_after - time_after) ** 2)
        step = data.slope_sign * (after - before)
        level = fits.level - data.slope_sign * before * fits.time - step * time_after
        variance = 1.0 / (sharper * fits.weight) + step**2 * spread
        centre, scale = combine(level, 1.0 / variance, data.y_mean, self.priors.alpha_sd**-2)
        alpha = centre + scale * position[ALPHA]
        values = {"alpha": alpha, "rate_before": before, "rate_after": after, "sigma": sigma}
        return values, log_jacobian + jnp.log(scale)

    def _first(
        self, z: Scalar, solved: Solved, data: Data
    ) -> tuple[Scalar, Array, Estimate, Scalar]:
        """The rate before the change at a coordinate.

        Returns
        -------
        rate
        log_share
            Log weight of each time of change given it, up to a constant, without its prior.
        second
            What each says then of the rate after.
        log_slope
            Of the rate in the coordinate.
        """
        # What a fit stands for reaches to its neighbours, along the line from one to the next.
        to_before, to_after = (
            0.5 * jnp.asarray(jnp.gradient(each)) for each in (solved.before, solved.after)
        )
        first = Estimate(data.rate_guess + solved.before, solved.var_before + to_before**2)
        slope = (solved.covariance + to_before * to_after) / first.variance
        spread = solved.var_after + to_after**2 - slope**2 * first.variance

        def second(before: Any) -> Estimate:
            mean = data.rate_guess + solved.after + slope * (before - first.mean)
            return Estimate(mean, spread)

        peak, log_prior = self._peaks(first, self._expected)
        log_share = solved.log_share + log_prior
        if self.priors.kind == "default":
            log_share += self._peaks(second(peak.mean), self._expected_after(peak.mean))[1]
        rate, log_slope = self._rate(z, log_share, first, peak)
        log_share = solved.log_share + _log_normal(rate - first.mean, first.variance)
        return rate, log_share, second(rate), log_slope

    def start(self, key: RandomKey, data: Data, *, far: Count) -> Position:
        """About the centre, or all over the place and with the spread about no trend at all."""
        z = jax.random.normal(key, (DIM,)) * jnp.where(far, 2.0, 0.3)
        guess = weights(data.sigma_guess, data)
        fits = fit_each_change(guess, data, self._typical, self.fits)
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

    @property
    def _expected(self) -> Estimate:
        """What the prior expects of the first rate; where progress is assumed, of its logarithm."""
        default = self.priors.kind == "default"
        return Estimate(jnp.log(self._typical) if default else 0.0, self.rates_sd**2)

    def _expected_after(self, before: Any) -> Estimate:
        """The same of the second, given the first."""
        centre = self._expected.mean
        own = jnp.log(before) if self.priors.kind == "default" else before
        left = self.rates_sd**2 * (1.0 - self.correlation**2)
        return Estimate(centre + self.correlation * (own - centre), left)

    def _peaks(self, own: Estimate, expected: Estimate) -> tuple[Estimate, Array]:
        """Each fit's estimate of a rate with the prior's, and the log of their shared volume.

        The variance is of the rate. Where progress is assumed this is Laplace's approximation in
        the logarithm of the rate.
        """
        if self.priors.kind == "signed":
            mean, sd = combine(own.mean, 1.0 / own.variance, expected.mean, 1.0 / expected.variance)
            return Estimate(mean, sd**2), _log_normal(
                own.mean - expected.mean, own.variance + expected.variance
            )
        log_rate = mode_of_log_rate(own, expected)
        rate = jnp.exp(log_rate)
        off = (log_rate - expected.mean) ** 2 / expected.variance
        precision = 1.0 / expected.variance + rate**2 / own.variance
        log_volume = _log_normal(rate - own.mean, own.variance) - 0.5 * (off + jnp.log(precision))
        return Estimate(rate, rate**2 / precision), log_volume

    def _rate(
        self, z: Scalar, log_share: Array, own: Estimate, peak: Estimate
    ) -> tuple[Scalar, Scalar]:
        """Rate at a coordinate, and the log of its slope there."""
        if self.priors.kind == "signed":
            return along(log_share, peak.mean, peak.variance).at(z)
        # As in `effbayes.models.trend_space`: a rate is a softplus of errors, those of the sharper.
        error = 1.0 / jnp.sum(shares(log_share) / jnp.sqrt(own.variance))
        ratio = peak.mean / error
        slope = -jnp.expm1(-ratio)
        x = ratio + jnp.log(slope)  # the inverse of softplus, whose slope at x is this
        variance = peak.variance / (error * slope) ** 2
        x, log_slope = along(log_share, x, variance).at(z)
        log_slope += jnp.log(error) + jax.nn.log_sigmoid(x)
        return error * jax.nn.softplus(x), log_slope

    def _sigma_axis(self, z: Scalar, data: Data, fits: Fits) -> tuple[Scalar, Scalar]:
        guess = jnp.where(fits.residual > 1.0, jnp.sqrt(fits.residual), fits.residual)
        # A row with an error or bounds of its own says less of sigma; few rows say next to nothing.
        share = guess**2 * weights(guess, data)
        freedoms = jnp.maximum(jnp.sum(share**2) - DIM, 0.0)
        width = (1.0 + 2.0 * freedoms) ** -0.5
        return softplus_inverse(guess) + width * z, width


def weights(sigma: Scalar, data: Data) -> PerObs:
    """Inverse variance of each row, about."""
    return jnp.where(as_normal.counts(data), 1.0 / as_normal.variance(sigma, data), 0.0)


def fit_each_change(w: PerObs, data: Data, typical: float, number: int) -> Fits:
    """Weighted least squares of the broken line for each of some times of change.

    A ridge, as wide as the rate of one line and the prior's, holds what few rows say little of.
    """
    y = jnp.where(data.mask, as_normal.middle(data) - data.y_mean, 0.0)
    weight = jnp.sum(w) + _FLOOR
    time, level = jnp.sum(w * data.t) / weight, jnp.sum(w * y) / weight
    t = data.t - time
    residual = y - level - data.slope_sign * data.rate_guess * t

    late = products(w, residual, data, changes(data, number))
    time_after = late.alone / weight
    # Weighted covariances of t and b(t, c), their own and with the residual of one line.
    tt, tr = jnp.sum(w * t**2), jnp.sum(w * t * residual)
    tb = late.with_t - late.alone * time
    bb = late.squared - late.alone * time_after
    ridge = (jnp.abs(data.rate_guess) + typical) ** -2
    by_late = data.slope_sign * (late.with_y - time_after * jnp.sum(w * residual))
    fits = Fits(
        early=tt - 2.0 * tb + bb,
        late=bb,
        both=tb - bb,
        by_early=data.slope_sign * tr - by_late,
        by_late=by_late,
        time_after=time_after,
        time=time,
        level=data.y_mean + level,
        weight=weight,
        ridge=ridge,
        residual=jnp.zeros(()),
    )
    squares = jnp.maximum(jnp.sum(w * residual**2) - 2.0 * jnp.max(fits.at(1.0).gain), 0.0)
    freedoms = jnp.maximum(jnp.sum(data.mask) - DIM, 1)
    spread = jnp.sqrt(squares * data.sigma_guess**2 / freedoms + 0.05**2)
    return fits._replace(residual=spread)


def mode_of_log_rate(own: Estimate, expected: Estimate) -> Array:
    """Where a normal likelihood of a rate times a normal density of its logarithm has its mode.

    Of Newton's steps the last alone is differentiated: they are most of what these coordinates
    cost. At the solution that is the whole derivative; where it were not, leapfrog steps would be
    less good, and as valid.
    """
    log_sd, variance = 0.5 * jnp.log(own.variance), expected.variance
    k = jnp.maximum(own.mean * jnp.exp(-log_sd), LEAST_SIGNAL)
    prior = expected.mean - log_sd
    strength = jax.nn.softplus(k)
    share = strength**2 * variance
    product = -(prior + share * jnp.log(strength)) / (1.0 + share)
    # The inverse rate in inverse errors, whose log is that of the rate with its sign turned.
    v = -log_time_at_mode(k, 0.0, -prior, variance, product, _NEWTON_STEPS)
    v = jax.lax.stop_gradient(v)
    rho = jnp.exp(v)
    slope = jax.lax.stop_gradient(curvature(k, rho, variance))
    return log_sd + v - (variance * rho * (rho - k) + v - prior) / slope


def _log_normal(off: Array, variance: Array) -> Array:
    return -0.5 * (off**2 / variance + jnp.log(variance))
