r"""Several series pooled: their doubling times and noises come from one population.

.. math::

    \log T_d \sim \mathrm{Normal}(\mu, \tau), \qquad
    \log \sigma_d \sim \mathrm{Normal}(\log s, 0.5), \qquad
    \alpha_d \sim \mathrm{Normal}(\bar y_d, 10),

    e^\mu \sim \mathrm{LogNormal}(\log 18, 1.2), \qquad
    \tau \sim \mathrm{HalfNormal}(1), \qquad s \sim \mathrm{HalfNormal}(1),

with the rows of each series as in the log-linear model and :math:`r_d = 12 / T_d`. A series of two
rows borrows its noise, and part of its rate, from the others;
:math:`T_\mathrm{new} = \exp(\mathrm{Normal}(\mu, \tau))` is the doubling time of a domain not yet
seen.

A hierarchy has two funnels: where the data of a series are weak it follows the population and
narrows with tau, and where they are sharp the population follows it. Neither the centred nor the
non-centred form suits both. Here a position is

.. math:: (\mu, \tau, s;\ r_1, \sigma_1, \alpha_1;\ \dots;\ r_D, \sigma_D, \alpha_D)

standardised one after another, each by the normal approximation of its distribution given the data
and those before it in the order s, tau, sigma_d, mu, log T_d, alpha_d. A series is thus centred in
the measure in which its own rows inform it (`rate_in_errors`, `noise_axis.log_noise`), and
mu has all log T_d integrated out (`population_mean`). A rate that its rows can hardly tell from
zero may be as small as the population allows, far below what a normal approximation has: its lower
tail is stretched by 2 tau (`axes.LongBelow`), so that no coordinate lies so far out that a small
change of sigma_d moves the rate by orders of magnitude. Since each step moves and scales one
coordinate only, the Jacobian is the product of the slopes, and the posterior does not depend on the
approximations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from effbayes.arrays import Count, Position, RandomKey, Scalar
from effbayes.dataset.series import Series
from effbayes.errors import UsageError
from effbayes.models.axes import LongBelow, Normal
from effbayes.models.contract import PADDING, Data, Parameters, bucket_size, data_from_series
from effbayes.models.hierarchical_space import Space
from effbayes.models.least_squares import LeastSquares, least_squares
from effbayes.models.population import own_estimate, population_mean, rate_in_errors
from effbayes.models.priors import MEDIAN_OF_HALF_NORMAL, HierarchicalPriors
from effbayes.models.propriety import require_scatter
from effbayes.models.simulation import reported, with_values
from effbayes.models.trend_model import TrendModel
from effbayes.models.trend_space import FARTHEST
from effbayes.trend import MONTHS_PER_YEAR

if TYPE_CHECKING:
    from effbayes.models.hierarchical_program import MemberProgram, Program

POPULATION = 3
"""Leading coordinates of a position: those of mu, tau and s."""

RATE, SIGMA, ALPHA = range(3)


Priors = HierarchicalPriors


class Bounded(NamedTuple):
    """Where rows with bounds may occur: their arithmetic is left out elsewhere."""

    series: tuple[int, ...] = ()
    rows: int = 0
    """Number of leading rows of each of these series."""


NOWHERE = Bounded()


@dataclass(frozen=True)
class Hierarchical:
    """Several series with one population, as a `effbayes.models.contract.Model`.

    Data have the dims (series, obs) and (series,) where those of one series have (obs,) and none;
    so have the parameters ``alpha``, ``rate``, ``sigma`` and ``doubling_time``.

    Parameters
    ----------
    priors
        Prior distributions.
    bounded
        Where bounds may occur; see `data_from_many`.
    """

    priors: Priors = field(default_factory=Priors)
    bounded: Bounded = NOWHERE
    name: str = "hierarchical"

    @property
    def prior_name(self) -> str:
        """Kind of prior: always ``"default"``, which assumes progress."""
        return self.priors.kind

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters beside the rate of each series."""
        return ("alpha", "sigma")

    @property
    def reported(self) -> tuple[str, ...]:
        """Quantities of the population."""
        return ("doubling_time_typical", "doubling_time_new", "tau", "s")

    @property
    def reported_of_members(self) -> tuple[str, ...]:
        """Quantities of each series."""
        return ("rate", *self.parameters)

    @property
    def common_coordinates(self) -> int:
        """Those of mu, tau and s."""
        return POPULATION

    def program(self) -> Program:
        """The NumPyro program."""
        from effbayes.models.hierarchical_program import Program  # noqa: PLC0415 - NumPyro is slow

        return Program(self.priors, self.bounded)

    def log_density(self, position: Position, data: Data) -> Scalar:
        """Log joint density at a position, Jacobian included."""
        values, log_jacobian = self._unwhiten(position, data)
        return self.program().log_joint(values, data) + log_jacobian

    def constrain(self, position: Position, data: Data) -> dict[str, Array]:
        """``mu``, ``tau``, ``s``, ``doubling_time_typical``; and of each series, dims (series,)."""
        return self._unwhiten(position, data)[0]

    def complete(self, key: RandomKey, values: Parameters, data: Data) -> dict[str, Array]:  # noqa: ARG002 - as the contract has it
        """Doubling time of a domain not yet seen, in months."""
        log_new = values["mu"] + values["tau"] * jax.random.normal(key)
        return {"doubling_time_new": jnp.exp(log_new)}

    def initial(self, key: RandomKey, data: Data, *, far: Count) -> Position:
        """A jittered start: near each series' own trend, or far from it, where all is noise."""
        s = jnp.where(far, _typical(data.sigma_far), self._noise_guess(data))
        tau = jnp.where(far, 0.1, 0.7) * self.priors.tau_scale
        space = Space(self.priors, data)
        noise = space.log_sigma(s)
        away = (jnp.log(data.sigma_far) - noise.centre) / noise.scale
        away = jnp.where(far, jnp.clip(away, 0.0, FARTHEST), 0.0)
        members = jnp.zeros((data.y.shape[0], 3)).at[:, SIGMA].set(away)
        population = [jnp.zeros(()), space.tau_axis(tau), space.s_axis.coordinate(s)]
        start = jnp.concatenate([jnp.stack(population), members.ravel()])
        return start + 0.3 * jax.random.normal(key, start.shape)

    def _noise_guess(self, data: Data) -> Scalar:
        """Typical noise, from the series that have scatter and one that is as the prior has it."""
        freedoms = jnp.maximum(jnp.sum(data.mask, axis=1) - 2.0, 0.0)
        of_prior = jnp.log(MEDIAN_OF_HALF_NORMAL * self.priors.sigma_scale)
        total = of_prior + freedoms @ jnp.log(data.sigma_guess)
        return jnp.exp(total / (1.0 + jnp.sum(freedoms)))

    def log_prior(self, values: Parameters, data: Data) -> Scalar:
        """Log prior density of (mu, tau, s, doubling times, sigmas, alphas)."""
        joint = self.program().log_joint(values, data)
        return joint - jnp.sum(self.log_likelihood(values, data))

    def log_likelihood(self, values: Parameters, data: Data) -> Array:
        """Log-likelihood of each row, dims (series, obs); zero for padding."""
        observed = self.program().observed(values, data)
        return jnp.where(data.mask, observed.log_prob(data.y), 0.0)

    def predict(self, key: RandomKey, values: Parameters, data: Data) -> Array:
        """A replicated log2 value at each row, dims (series, obs)."""
        return self.program().observed(values, data).sample(key)

    def simulate(self, key: RandomKey, values: Parameters, data: Data) -> Data:
        """A data set of every series drawn from the parameters."""
        new = self.predict(key, values, data)
        return jax.vmap(with_values)(data, reported(new, data.low, data.high))

    def noise(self, key: RandomKey, values: Parameters, shape: tuple[int, ...]) -> Array:
        """Deviation of a new system of each series, in doublings; dims (*shape, series)."""
        sigma = values["sigma"]
        drawn = jax.random.normal(key, (*shape, *sigma.shape))
        return jnp.broadcast_to(sigma, drawn.shape) * drawn

    @property
    def has_proper_prior(self) -> bool:
        """True: every kind of prior that there is."""
        return True

    def prior_draw(self, key: RandomKey, data: Data) -> dict[str, Array]:
        """Parameters and rates drawn from the prior."""
        return self.program().prior_draw(key, data)

    def check(self, series: Series) -> None:
        """Refuse one series that has no trend; together they are checked by `make_model`."""
        series.require_trend()

    def describe(self) -> dict[str, Any]:
        """Name, noise and priors."""
        return {"model": self.name, "noise": "normal", "priors": asdict(self.priors)}

    def _unwhiten(self, position: Position, data: Data) -> tuple[dict[str, Array], Scalar]:
        """Values at a position, and the log Jacobian of the map to the NumPyro sites."""
        z_mu, z_tau, z_s = position[:POPULATION]
        z = position[POPULATION:].reshape((-1, 3))
        space = Space(self.priors, data)
        tau, log_tau_slope = space.tau(z_tau)
        s, log_s_slope = space.s_axis.at(z_s)
        noise = space.log_sigma(s)
        log_sigma = noise.at(z[:, SIGMA])
        sigma = jnp.exp(log_sigma)
        fit = jax.vmap(least_squares)(sigma, data)
        estimate = own_estimate(fit)
        mean = population_mean(tau, estimate, space.prior_of_mean)
        mu = mean.at(z_mu)
        near = rate_in_errors(mu, tau, fit, steps=1)
        u, log_slope = LongBelow(*near, 2.0 * tau).at(z[:, RATE])
        rho = jax.nn.softplus(u)
        rate = rho * fit.rate_precision**-0.5
        months = MONTHS_PER_YEAR / rate
        level = _level(fit, rate, data, self.priors.alpha_sd)
        values = {
            "mu": mu,
            "tau": tau,
            "s": s,
            "doubling_time_typical": jnp.exp(mu),
            "rate": rate,
            "doubling_time": months,
            "sigma": sigma,
            "alpha": level.at(z[:, ALPHA]),
        }
        # The sites are sigma, T = 12 / r and alpha.
        log_jacobian = log_tau_slope + log_s_slope + jnp.log(mean.scale)
        of_sigma = jnp.log(noise.scale) + log_sigma
        of_time = log_slope + jax.nn.log_sigmoid(u) - jnp.log(rho) + jnp.log(months)
        return values, log_jacobian + jnp.sum(of_sigma + of_time + jnp.log(level.scale))


@dataclass(frozen=True)
class Member(TrendModel):
    """One series of a pooled fit, for what follows from draws of it.

    Its values have ``mu``, ``tau`` and ``s`` beside those of the log-linear model, and its prior is
    that of the population and of this series given it.
    """

    priors: Priors = field(default_factory=Priors)
    censored: bool = True
    name: str = "hierarchical"

    def program(self) -> MemberProgram:
        """The NumPyro program."""
        from effbayes.models.hierarchical_program import (  # noqa: PLC0415 - NumPyro is slow
            MemberProgram,
        )

        return MemberProgram(self.priors, self.censored)

    def noise(self, key: RandomKey, values: Parameters, shape: tuple[int, ...]) -> Array:
        """Deviation of a new system from the trend, in doublings."""
        return values["sigma"] * jax.random.normal(key, shape)

    def check(self, series: Series) -> None:
        """Refuse a series that has no trend."""
        series.require_trend()


def _level(fit: LeastSquares, rate: Array, data: Data, prior_sd: float) -> Normal:
    """Distribution of alpha given rate and sigma."""
    level = fit.level - data.slope_sign * rate * fit.time
    precision = fit.weight + prior_sd**-2
    centre = (fit.weight * level + data.y_mean * prior_sd**-2) / precision
    return Normal(centre, precision**-0.5)


def _typical(sigma: Array) -> Array:
    """Geometric mean of the spreads, no larger than its prior would have it."""
    return jnp.minimum(jnp.exp(jnp.mean(jnp.log(sigma))), 2.0)


def data_from_many(series: Sequence[Series]) -> Data:
    """Rows of several series as arrays, padded to the bucket of the longest.

    Rows with bounds come first within each series: see `Bounded`.

    Returns
    -------
    Data
        NumPy arrays, dims (series, obs) and, where one series has a scalar, (series,).
    """
    made = [data_from_series(each) for each in series]
    size = max(each.y.shape[0] for each in made)
    columns = {}
    for name, fill in PADDING.items():
        padded = np.full((len(made), size), fill)
        for row, each in zip(padded, made, strict=True):
            column = np.asarray(getattr(each, name))
            row[: len(column)] = column[_bounded_first(each)]
        columns[name] = padded
    scalars = {
        name: np.array([getattr(each, name) for each in made])
        for name in Data._fields
        if name not in PADDING
    }
    values: dict[str, Any] = columns | scalars
    return Data(**values)


def _bounded_first(data: Data) -> np.ndarray:
    bounded = np.isfinite(data.low) | np.isfinite(data.high)
    return np.argsort(~bounded, kind="stable")


def _where_bounded(series: Sequence[Series]) -> Bounded:
    rows = [
        int(np.sum((np.isfinite(one.value_low) | np.isfinite(one.value_high)) & one.used))
        for one in series
    ]
    which = tuple(i for i, number in enumerate(rows) if number)
    return Bounded(which, bucket_size(max(rows))) if which else Bounded()


def priors_of(prior: object) -> Priors:
    """Priors by their name, or as they are.

    Raises
    ------
    UsageError
        Neither a name nor `Priors`, or the name of no kind.
    """
    if isinstance(prior, str):
        return Priors(kind=prior)
    if not isinstance(prior, Priors):
        raise UsageError(f"pooling takes hierarchical.Priors, not {type(prior).__name__}")
    return prior


def make_model(series: Sequence[Series], priors: Priors, *, robust: bool) -> Hierarchical:
    """The model value for several series, checked against them.

    Raises
    ------
    UsageError
        Fewer than two series, two of one name, another kind of prior, or robust noise.
    DataError
        The posterior does not exist: see `require_scatter`.
    """
    if robust:
        raise UsageError("model hierarchical has no robust noise")
    if priors.kind != "default":
        raise UsageError(f"model hierarchical has the default prior alone, not {priors.kind}")
    ids = [each.id for each in series]
    if len(ids) < 2:
        raise UsageError(f"pooling needs at least two series, there are {len(ids)}")
    twice = sorted({each for each in ids if ids.count(each) > 1})
    if twice:
        raise UsageError(f"series pooled must have different names; twice: {', '.join(twice)}")
    for each in series:
        each.require_trend()
    require_scatter(series)
    return Hierarchical(priors=priors, bounded=_where_bounded(series))
