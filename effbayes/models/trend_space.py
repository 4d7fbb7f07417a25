"""Whitened coordinates of a trend: where samplers move in place of (alpha, rate, sigma).

At a small sigma the trend is known sharply and at a large one hardly at all, a funnel that costs
divergences with two or three points. In coordinates whitened given sigma by weighted least squares
the posterior of the first two is close to standard normal whatever sigma is.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from effbayes.arrays import Count, PerObs, Position, Scalar
from effbayes.models.axes import Normal, combine, softplus_inverse
from effbayes.models.contract import Data
from effbayes.models.least_squares import LeastSquares, least_squares
from effbayes.models.population import rate_in_errors
from effbayes.models.priors import TrendPriors
from effbayes.trend import doubling_time_months, rate_per_year

ALPHA, RATE, SIGMA = range(3)
"""Places of a position's first three coordinates; a model's own ones follow."""

FARTHEST = 30.0
"""Widths from the centre beyond which no chain starts: warmup must find the way back."""


@dataclass(frozen=True)
class TrendSpace:
    """The map from whitened coordinates to alpha, rate and sigma."""

    priors: TrendPriors

    def unwhiten(
        self, position: Position, data: Data, beside: PerObs | Scalar | float = 0.0
    ) -> tuple[dict[str, Scalar], Scalar]:
        """Parameters at a position and the log Jacobian of the map to the NumPyro sites.

        Returns
        -------
        values
            ``sigma``, ``rate``, ``alpha`` and, where progress is assumed, ``doubling_time``.
        log_jacobian
            Of (alpha, doubling time or rate, sigma).
        """
        x, width = self._sigma_axis(position[SIGMA], data)
        if self.priors.kind == "reference":
            sigma, slope = jnp.exp(x), x
        else:
            # Not exp: a half-normal's right tail stays a parabola, no cliff to diverge at.
            sigma, slope = jax.nn.softplus(x), jax.nn.log_sigmoid(x)
        fit = least_squares(sigma, data, beside)
        values: dict[str, Scalar] = {"sigma": sigma}
        log_jacobian = slope + jnp.log(width)
        if self.priors.kind == "default":
            rate, log_slope = self.positive_rate(position[RATE], fit)
            values["rate"], values["doubling_time"] = rate, doubling_time_months(rate)
            log_jacobian += log_slope + jnp.log(values["doubling_time"] / rate)
        else:
            flat = self.priors.kind == "reference"
            precision = 0.0 if flat else self.priors.rate_sd**-2
            centre, scale = combine(fit.rate, fit.rate_precision, 0.0, precision)
            values["rate"] = centre + scale * position[RATE]
            log_jacobian += jnp.log(scale)
        precision = 0.0 if self.priors.kind == "reference" else self.priors.alpha_sd**-2
        level = fit.level - data.slope_sign * values["rate"] * fit.time
        centre, scale = combine(level, fit.weight, data.y_mean, precision)
        values["alpha"] = centre + scale * position[ALPHA]
        return values, log_jacobian + jnp.log(scale)

    def start(self, data: Data, *, far: Count) -> list[Scalar]:
        """Near the least-squares trend, or far from it, where all is noise; three coordinates.

        Chains from both show a posterior with two modes as one that has not converged.
        """
        flat = self.priors.kind == "reference"
        sigma = jnp.where(far, data.sigma_far, data.sigma_guess)
        if not flat:
            # The half-normal prior pulls a large residual spread down to about its square root.
            sigma = jnp.where(sigma > 1.0, jnp.sqrt(sigma), sigma)
        fit = least_squares(sigma, data)
        if self.priors.kind == "default":
            error = fit.rate_precision**-0.5
            typical = rate_per_year(self.priors.doubling_time_median)
            axis = self._rate_axis(fit)
            away = (softplus_inverse(typical / error) - axis.centre) / axis.scale
        else:
            # Of no progress; a flat prior has no typical rate, and its far start is one error off.
            away = jnp.ones(()) if flat else -fit.rate * jnp.sqrt(fit.rate_precision)
        rate = jnp.where(far, jnp.clip(away, -FARTHEST, FARTHEST), 0.0)
        return [jnp.zeros(()), rate, self._sigma_coordinate(sigma, data)]

    def positive_rate(self, z: Scalar, fit: LeastSquares) -> tuple[Scalar, Scalar]:
        """Rate at the whitened coordinate z, and the log of its slope in z.

        The rate is its standard error times softplus(x). Where the data are sharp, x is the rate in
        standard errors and its posterior normal; where they are not, x is the log of the rate and
        its posterior the log-normal prior's. Either way it lies about its mode given sigma.
        """
        error = fit.rate_precision**-0.5
        axis = self._rate_axis(fit)
        x = axis.at(z)
        slope = jnp.log(error) + jax.nn.log_sigmoid(x) + jnp.log(axis.scale)
        return error * jax.nn.softplus(x), slope

    def _rate_axis(self, fit: LeastSquares) -> Normal:
        median, width = self.priors.doubling_time_median, self.priors.doubling_time_sdlog
        return rate_in_errors(jnp.log(jnp.asarray(median)), jnp.asarray(width), fit)

    def _sigma_axis(self, z: Scalar, data: Data) -> tuple[Scalar, Scalar]:
        """Unscaled coordinate of sigma, and its width: that of a posterior from this many rows."""
        width = (1.0 + 2.0 * jnp.sum(data.mask)) ** -0.5
        guess = data.sigma_guess
        if self.priors.kind == "reference":
            return jnp.log(guess) + width * z, width
        guess = jnp.where(guess > 1.0, jnp.sqrt(guess), guess)
        return softplus_inverse(guess) + width * z, width

    def _sigma_coordinate(self, sigma: Scalar, data: Data) -> Scalar:
        """Position at which sigma has a value: the inverse of `_sigma_axis` and its map."""
        centre, width = self._sigma_axis(jnp.zeros(()), data)
        x = jnp.log(sigma) if self.priors.kind == "reference" else softplus_inverse(sigma)
        return (x - centre) / width
