"""Where the members of a population lie, given what their own rows and the population say.

The rate of one series under its prior is the case of one member of a population that is known.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from effbayes.arrays import Scalar
from effbayes.models.axes import Normal, softplus_inverse
from effbayes.models.least_squares import LeastSquares
from effbayes.trend import MONTHS_PER_YEAR

NEWTON_STEPS = 3
LEAST_SIGNAL = -30.0
"""Rate in standard errors below which nothing depends on it any more."""


class Estimates(NamedTuple):
    """What the rows of each series alone say of its own quantity; dims (series,)."""

    mean: Array
    precision: Array


def population_mean(tau: Scalar, own: Estimates, prior: Normal) -> Normal:
    """Distribution of the mean of a normal population given its spread, members integrated out.

    Parameters
    ----------
    tau
        Standard deviation of the population.
    own
        Estimate of each member's quantity and its precision, which may be zero.
    prior
        Prior of the mean.
    """
    weight = own.precision / (1.0 + own.precision * tau**2)
    precision = jnp.sum(weight) + prior.scale**-2
    centre = (jnp.sum(weight * own.mean) + prior.centre * prior.scale**-2) / precision
    return Normal(centre, precision**-0.5)


def member_given_population(mu: Scalar, tau: Scalar, own: Estimates) -> Normal:
    """Distribution of members' quantities given their population, for normal likelihoods."""
    share = own.precision * tau**2
    return Normal((mu + share * own.mean) / (1.0 + share), tau * (1.0 + share) ** -0.5)


def rate_in_errors(mu: Scalar, tau: Scalar, fit: LeastSquares, steps: int = NEWTON_STEPS) -> Normal:
    """Where u lies about, for a rate of softplus(u) standard errors, given the population.

    Where the rows are sharp u is the rate in errors, and its likelihood normal; where they are not
    u is the log of that, and its population's density normal. In between lies `log_time_at_mode`.

    Parameters
    ----------
    mu, tau
        Of the population of log doubling times in months.
    fit
        Least squares of each series, dims (series,); or of one, scalars.
    steps
        Of Newton's method from the product of normal approximations to the mode. The mode leaps
        where there are two and one is lost; the product does not.
    """
    log_unit = jnp.log(MONTHS_PER_YEAR) - jnp.log(fit.rate_precision**-0.5)
    product = member_given_population(mu, tau, own_estimate(fit)).centre
    x = log_time_at_mode(_signal(fit), log_unit, mu, tau**2, product, steps)
    rho = jnp.exp(log_unit - x)
    centre = softplus_inverse(rho)
    tau_of_rho = tau * rho / jax.nn.sigmoid(centre)
    return Normal(centre, tau_of_rho * (1.0 + (tau * rho) ** 2) ** -0.5)


def log_time_at_mode(
    k: Array, log_unit: Any, mu: Any, variance: Any, product: Array, steps: int
) -> Array:
    """Where a normal likelihood of a rate times a normal density of its logarithm has its mode.

    With rho the rate in standard errors and x the log of its inverse in any unit, the mode solves
    ``rho (rho - k) = (x - mu) / variance``. Newton's method in x starts where x is least that the
    mode can have, from where it does not overshoot: at the product of normal approximations, or
    where rho exceeds the root that it has if x is of rho = 1 on the right side.

    Parameters
    ----------
    k
        Least-squares value of rho, at least `LEAST_SIGNAL`.
    log_unit
        x at rho = 1.
    mu, variance
        Of x by its population or prior.
    product
        Mean of x by the product of that and a normal approximation of the likelihood.
    steps
        Of Newton's method.
    """
    root = 0.5 * (k + jnp.sqrt(k**2 + 4.0 * jax.nn.softplus(log_unit - mu) / (variance + 1e-30)))
    x = jnp.maximum(product, log_unit - jnp.log1p(root))
    for _ in range(steps):
        rho = jnp.exp(log_unit - x)
        force = variance * rho * (rho - k) - (x - mu)
        x += force / curvature(k, rho, variance)
    return x


def curvature(k: Array, rho: Array, variance: Any) -> Array:
    """Slope of what `log_time_at_mode` solves, times the variance.

    Bounded from below: the exact one may be negative where the start is very poor.
    """
    return 1.0 + variance * rho * jnp.maximum(2.0 * rho - k, 0.5 * rho)


def _signal(fit: LeastSquares) -> Array:
    """Rate in standard errors."""
    return jnp.maximum(fit.rate * jnp.sqrt(fit.rate_precision), LEAST_SIGNAL)


def own_estimate(fit: LeastSquares) -> Estimates:
    """Log doubling times by least squares; a rate below its error says only: not short."""
    error = fit.rate_precision**-0.5
    strength = jax.nn.softplus(_signal(fit))
    return Estimates(jnp.log(MONTHS_PER_YEAR) - jnp.log(error * strength), strength**2)
