r"""The hierarchical model against integrals, and its coordinates on the eight schools.

*The whole model.* With exact rows the levels integrate in closed form: residuals from a line
through the means sum to zero, so each series' likelihood given log T and log sigma is

.. math::

    \sigma^{-(n-1)} (\sigma^2 + 100 n)^{-1/2} \exp(-S(T) / 2 \sigma^2).

Log sigma is summed over a grid given log s; log T given (mu, tau) is a convolution with a normal,
done by fast Fourier transform on an even grid of log T; mu, tau and log s are summed over grids.
Everything the model reports of a population follows as a sum of products: no MCMC, no JAX, none of
the package's models. Halving every grid moves no quantile by more than a third of the Monte Carlo
standard error (MCSE) of a run.

*The eight schools* of Rubin (1981) have a normal likelihood with known errors, mu ~ Normal(0, 5)
and tau ~ HalfCauchy(5): mu and theta integrate in closed form, and one quadrature over tau is left.
The same functions that whiten log doubling times whiten theta there, in the same sampler.

A quantile is within 3 MCSE; one that misses, as one in 370 does, is looked at again with another
seed and four times the draws, where it may be `CONFIRMED` off: 1e-6 a test, false alarms in all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import optimize, stats
from scipy.interpolate import make_interp_spline

import effbayes as eb
from effbayes import runtime
from effbayes.inference.nuts import SamplerSettings, run_nuts
from effbayes.models.axes import Normal
from effbayes.models.contract import Data
from effbayes.models.hierarchical import Hierarchical, data_from_many
from effbayes.models.population import Estimates, member_given_population, population_mean

PROBS = (0.025, 0.5, 0.975)
FALSE_ALARMS = 1e-6
STANDARD_ERRORS = 3.0
DRAWS = 4000
GRID_SHARE = 1.0 / 3.0

Quantiles = dict[tuple[str, float], float]
Tell = Callable[[list[float]], None]
Sampler = Callable[[int, int], dict[str, np.ndarray]]
"""Draws by name, dims (chain, draw), from a seed and a number of draws."""


def misses(
    sampler: Sampler, exact: Quantiles, tell: Tell, *, errors: Quantiles | None = None
) -> list[str]:
    """Quantiles that are off, twice; empty when all agree."""
    first = distances(sampler(1, DRAWS), exact, errors)
    tell(list(first.values()))
    suspect = {each for each, z in first.items() if abs(z) > STANDARD_ERRORS}
    if not suspect:
        return []
    share = FALSE_ALARMS / (len(exact) * 2.0 * stats.norm.sf(STANDARD_ERRORS))
    confirmed = float(stats.norm.isf(0.5 * share))
    again = distances(sampler(2, 4 * DRAWS), exact, None)
    return [f"{each}: {again[each]:+.1f}" for each in suspect if abs(again[each]) > confirmed]


def distances(
    draws: dict[str, np.ndarray], exact: Quantiles, errors: Quantiles | None
) -> dict[tuple[str, float], float]:
    """How many MCSE each quantile is off."""
    found = {}
    for (name, prob), value in exact.items():
        options: dict[str, Any] = {"chain_axis": 0, "draw_axis": 1, "method": "quantile"}
        mcse = float(array_stats.mcse(draws[name], prob=prob, **options))
        assert array_stats.ess(draws[name], prob=prob, **options) > 500
        if errors is not None:
            assert errors[name, prob] < GRID_SHARE * mcse, (name, prob, errors[name, prob], mcse)
        found[name, prob] = (float(np.quantile(draws[name], prob)) - value) / mcse
    return found


# The whole model ------------------------------------------------------------------------------

LOG_T = (-24.0, 36.0)
LOG_SIGMA = (np.log(1e-3), np.log(60.0))
LOG_S = (np.log(5e-3), np.log(6.0))
LOG_TAU = (np.log(1e-5), np.log(6.5))
SERIES = (
    ("imagenet", "alexnet-training"),
    ("translation", "seq2seq"),
    ("cifar10", "airbench96-pflop"),
)


@dataclass(frozen=True)
class Nodes:
    """Number of nodes of every grid; that of log T is a power of two."""

    log_t: int = 4096
    log_sigma: int = 111
    log_s: int = 51
    log_tau: int = 121

    def halved(self) -> Nodes:
        """Every other node."""
        return Nodes(
            self.log_t // 2, self.log_sigma // 2 + 1, self.log_s // 2 + 1, self.log_tau // 2 + 1
        )


@cache
def shipped() -> tuple[eb.Series, ...]:
    return tuple(eb.load_series(*name).without_bounds() for name in SERIES)


def log_likelihood(series: eb.Series, log_t: np.ndarray, log_sigma: np.ndarray) -> np.ndarray:
    """Dims (log sigma, log T), alpha integrated out."""
    days, y = series.date[series.used].astype(float), np.log2(series.value[series.used])
    t, e, n = (days - days.mean()) / 365.25, y - y.mean(), len(y)
    assert series.direction == "falling"
    # Very short doubling times overflow the square; they have no likelihood either way.
    rate = 12.0 * np.exp(-np.maximum(log_t, -12.0))
    squares = e @ e + 2.0 * rate * (e @ t) + rate**2 * (t @ t)
    sigma = np.exp(log_sigma)[:, None]
    level = -0.5 * np.log(sigma**2 + 100.0 * n)
    return np.asarray(level - (n - 1) * np.log(sigma) - 0.5 * squares / sigma**2)


class Integral:
    """Marginal densities of the population and of the doubling times, given or without tau."""

    def __init__(self, nodes: Nodes, tau: float | None) -> None:
        step = (LOG_T[1] - LOG_T[0]) / nodes.log_t
        self.x = LOG_T[0] + step * np.arange(nodes.log_t)
        self.log_s = np.linspace(*LOG_S, nodes.log_s)
        self.log_tau = np.linspace(*LOG_TAU, nodes.log_tau) if tau is None else np.array([-np.inf])
        taus = np.exp(self.log_tau) if tau is None else np.array([tau])
        prior_tau = stats.halfnorm.pdf(taus) * taus if tau is None else np.ones(1)
        log_sigma = np.linspace(*LOG_SIGMA, nodes.log_sigma)
        of_sigma = stats.norm.pdf(log_sigma, self.log_s[:, None], 0.5)
        tables = []
        for each in shipped():
            log = log_likelihood(each, self.x, log_sigma)
            tables.append(of_sigma @ np.exp(log - log.max()))
        frequency = 2.0 * np.pi * np.fft.rfftfreq(nodes.log_t, step)
        kernel = np.exp(-0.5 * (taus[:, None] * frequency) ** 2)
        prior_mu = stats.norm.pdf(self.x, np.log(18.0), 1.2)
        prior_s = stats.halfnorm.pdf(np.exp(self.log_s)) * np.exp(self.log_s)
        self.density = {name: np.zeros(nodes.log_t) for name in ("mu", "new", *map(str, range(3)))}
        joint = np.zeros((len(taus), nodes.log_s))

        def spread(values: np.ndarray) -> np.ndarray:
            """Convolution with Normal(0, tau), dims (tau, x); rounding may leave -1e-17."""
            smoothed = np.fft.irfft(np.fft.rfft(values) * kernel, nodes.log_t)
            return np.maximum(smoothed, 0.0)

        for k in range(nodes.log_s):
            given = [spread(table[k]) for table in tables]
            weight = prior_tau[:, None] * prior_s[k]
            every = prior_mu * np.prod(given, axis=0) * weight
            joint[:, k] = every.sum(axis=1)
            self.density["mu"] += every.sum(axis=0)
            self.density["new"] += spread(every).sum(axis=0)
            for d, table in enumerate(tables):
                others = prior_mu * np.prod(given[:d] + given[d + 1 :], axis=0) * weight
                self.density[str(d)] += table[k] * spread(others).sum(axis=0)
        self.of_s, self.of_tau = joint.sum(axis=0), joint.sum(axis=1)

    def quantiles(self) -> Quantiles:
        """Of mu, tau, s, the doubling times of each series and of a domain not yet seen."""
        exact: Quantiles = {}
        for prob in PROBS:
            exact["mu", prob] = quantile(self.x, self.density["mu"], prob)
            exact["s", prob] = np.exp(quantile(self.log_s, self.of_s, prob))
            if len(self.log_tau) > 1:
                exact["tau", prob] = np.exp(quantile(self.log_tau, self.of_tau, prob))
            exact["new", prob] = quantile(self.x, self.density["new"], prob)
            for d in range(3):
                exact[f"log T {d}", prob] = quantile(self.x, self.density[str(d)], prob)
        return exact


def quantile(points: np.ndarray, density: np.ndarray, prob: float) -> float:
    """Where a spline through a density has this share of its integral below."""
    step = points[1] - points[0]
    cdf = make_interp_spline(points, density / (density.sum() * step)).antiderivative()
    total = float(cdf(points[-1]))
    near = np.cumsum(density) / density.sum()
    low, high = np.searchsorted(near, [0.2 * prob, 1.0 - 0.2 * (1.0 - prob)])
    low, high = max(int(low) - 2, 0), min(int(high) + 2, len(points) - 1)
    return float(optimize.brentq(lambda x: cdf(x) - prob * total, points[low], points[high]))


@dataclass(frozen=True)
class GivenTau(Hierarchical):
    """The model given tau: its coordinate becomes a standard normal that nothing depends on."""

    log_tau: float = 0.0

    def _at(self, position):
        tau = jnp.exp(self.log_tau) / 0.5
        # Inverse of softplus; for a small tau expm1 keeps the digits.
        return position.at[1].set(jnp.log(jnp.expm1(tau)) if self.log_tau < 3 else tau)

    def log_density(self, position, data):
        return super().log_density(self._at(position), data) - 0.5 * position[1] ** 2

    def constrain(self, position, data):
        return super().constrain(self._at(position), data)


def sampler_of(model: Hierarchical) -> Sampler:
    def sample(seed: int, draws: int) -> dict[str, np.ndarray]:
        with runtime.on_device("cpu") as device:
            found = run_nuts(
                model,
                data_from_many(shipped()),
                runtime.key_bits(seed),
                SamplerSettings(draws=draws),
                plan=runtime.plan(device),
            )
        # With a spread far beyond its prior, one step in about a hundred thousand diverges.
        assert found.stats["diverging"].mean() < 1e-4
        values = {name: found.values[name] for name in ("mu", "tau", "s")}
        values["new"] = np.log(found.values["doubling_time_new"])
        for d in range(3):
            values[f"log T {d}"] = np.log(found.values["doubling_time"][..., d])
        return values

    return sample


@cache
def integral(tau: float | None) -> tuple[Quantiles, Quantiles]:
    """Quantiles, and what halving every grid changes."""
    exact, coarse = (Integral(nodes, tau).quantiles() for nodes in (Nodes(), Nodes().halved()))
    return exact, {each: abs(exact[each] - coarse[each]) for each in exact}


def test_nuts_quantiles_match_the_integral(tell):
    exact, errors = integral(None)
    assert misses(sampler_of(Hierarchical()), exact, tell, errors=errors) == []


def test_without_spread_between_domains_all_have_one_rate(tell):
    """tau = 0 in the integral: the doubling times, mu and that of a new domain are one."""
    exact, errors = integral(0.0)
    assert exact["mu", 0.5] == pytest.approx(exact["log T 1", 0.5], abs=1e-9)
    assert exact["mu", 0.5] == pytest.approx(exact["new", 0.5], abs=1e-9)
    assert (
        misses(sampler_of(GivenTau(log_tau=float(np.log(1e-6)))), exact, tell, errors=errors) == []
    )


def test_with_a_large_spread_series_know_each_other_by_their_noise_alone(tell):
    exact, errors = integral(3.0)
    assert (
        misses(sampler_of(GivenTau(log_tau=float(np.log(3.0)))), exact, tell, errors=errors) == []
    )
    # AlexNet's six rows outweigh a population this wide: within 0.02 of a flat one.
    assert exact["log T 0", 0.5] == pytest.approx(integral(4.0)[0]["log T 0", 0.5], abs=0.02)


# The eight schools ----------------------------------------------------------------------------

EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
MU_SD, TAU_SCALE = 5.0, 5.0


@dataclass(frozen=True)
class EightSchools(Hierarchical):
    """Another likelihood and other priors; what the sampler does not ask for is as it was."""

    name: str = "eight-schools"

    def constrain(self, position, data):
        return self.unwhiten(position, data)[0]

    def unwhiten(self, position, data):
        tau = TAU_SCALE * jax.nn.softplus(position[1])
        own = Estimates(data.y, data.value_sd**-2)
        prior = Normal(jnp.zeros(()), jnp.asarray(MU_SD))
        mean = population_mean(tau, own, prior)
        mu = mean.at(position[0])
        member = member_given_population(mu, tau, own)
        log_jacobian = jnp.log(TAU_SCALE) + jax.nn.log_sigmoid(position[1])
        log_jacobian += jnp.log(mean.scale) + jnp.sum(jnp.log(member.scale))
        return {"mu": mu, "tau": tau, "theta": member.at(position[2:])}, log_jacobian

    def log_density(self, position, data):
        values, log_jacobian = self.unwhiten(position, data)
        mu, tau, theta = values["mu"], values["tau"], values["theta"]
        prior = -0.5 * (mu / MU_SD) ** 2 - jnp.log1p((tau / TAU_SCALE) ** 2)
        z = (theta - mu) / tau
        likelihood = -0.5 * ((data.y - theta) / data.value_sd) ** 2
        return prior + log_jacobian + jnp.sum(likelihood - 0.5 * z**2 - jnp.log(tau))

    def initial(self, key, data, *, far):  # noqa: ARG002 - as the contract has it
        return jax.random.normal(key, (2 + data.y.shape[0],))

    def noise(self, key, values, shape):  # noqa: ARG002
        return jnp.zeros(shape)

    def complete(self, key, values, data):  # noqa: ARG002
        return {}


def schools(seed: int, draws: int) -> dict[str, np.ndarray]:
    nothing = np.zeros(8)
    columns = dict.fromkeys(Data._fields, nothing)
    data = Data(**columns | {"y": EFFECT, "value_sd": ERROR, "mask": np.ones(8, dtype=bool)})
    with runtime.on_device("cpu") as device:
        settings, plan = SamplerSettings(draws=draws), runtime.plan(device)
        found = run_nuts(EightSchools(), data, runtime.key_bits(seed), settings, plan=plan)
    assert not found.stats["diverging"].any()
    theta = {f"theta {j}": found.values["theta"][..., j] for j in range(8)}
    return {"mu": found.values["mu"], "tau": found.values["tau"]} | theta


def exact_schools() -> Quantiles:
    """One quadrature over tau; mu and theta are normal mixtures over its nodes."""
    log_tau = np.linspace(np.log(1e-6), np.log(1e6), 4001)
    tau = np.exp(log_tau)
    variance = tau[:, None] ** 2 + ERROR**2
    precision = 1.0 / MU_SD**2 + (1.0 / variance).sum(1)
    mean = (EFFECT / variance).sum(1) / precision
    log = -0.5 * np.log(variance).sum(1) - 0.5 * (EFFECT**2 / variance).sum(1)
    log += 0.5 * precision * mean**2 - 0.5 * np.log(precision)
    log += log_tau - np.log1p((tau / TAU_SCALE) ** 2)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    share = tau[:, None] ** 2 / variance
    normals = {"mu": (mean, precision**-0.5)}
    for j in range(8):
        centre = share[:, j] * EFFECT[j] + (1.0 - share[:, j]) * mean
        spread = share[:, j] * ERROR[j] ** 2 + (1.0 - share[:, j]) ** 2 / precision
        normals[f"theta {j}"] = centre, np.sqrt(spread)
    exact: Quantiles = {}
    for prob in PROBS:
        exact["tau", prob] = np.exp(quantile(log_tau, weight, prob))
        for name, (centre, sd) in normals.items():
            exact[name, prob] = optimize.brentq(
                lambda x, c=centre, s=sd, p=prob: weight @ stats.norm.cdf((x - c) / s) - p,
                *(-300.0, 300.0),
            )
    return exact


def test_eight_schools(tell):
    assert misses(schools, exact_schools(), tell) == []
