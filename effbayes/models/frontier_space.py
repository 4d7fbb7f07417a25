"""Coordinates of the stochastic frontier: its rows hold it from one side, and often sharply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from effbayes.arrays import PerObs, PerObsMask, Position, Scalar
from effbayes.models.axes import combine
from effbayes.models.contract import Data, is_censored
from effbayes.models.least_squares import LeastSquares, least_squares
from effbayes.models.noise_axis import NoiseAxis, axis_of, log_noise, scatter
from effbayes.models.priors import MEDIAN_OF_HALF_NORMAL
from effbayes.models.trend_space import ALPHA, FARTHEST, RATE, SIGMA, TrendSpace
from effbayes.trend import doubling_time_months

if TYPE_CHECKING:
    from effbayes.models.frontier import Priors

RATIO = 3
"""Place of the ratio of eta to sigma in a position."""

NOWHERE = 1e6
"""Scale of alpha in doublings where no row tells of the frontier."""

COOLING_STEPS = 6
COLDEST = 0.7
_LEAST_SPREAD = 1e-12
_LEAST_SHARE = 0.05
HEATING = 0.84
"""Below one: so much of its slope may the level beyond an edge lose where all rows share it."""

# What priors tell of noise and excess together, as if a half-normal: a generous spread of its log,
# and the scales from which its tail is a parabola.
_SPREAD_OF_LOG = 1.0
_LINEAR_FROM = 1.8
_INFORMATION = 0.5  # of a row on the log scale: an exponential's deviation tells half a normal's


@dataclass(frozen=True)
class FrontierSpace(TrendSpace):
    r"""Coordinates in which a frontier has no cliff and no narrow ridge.

    When sigma is small, the density rises towards the lowest rows like ``exp(n alpha / eta)`` and
    ends there within sigma: no single scale of alpha fits both sides. Given the rest, alpha is
    therefore measured from that edge, with a scale of its own on either side; and the rate, given
    noise and excess, from that of the edge and not of all rows. Rows tell what noise and excess are
    together, :math:`\sqrt{\sigma^2 + \eta^2}`, well, but hardly which of them it is: that, and the
    ratio of the two, are coordinates in place of sigma and eta.
    """

    priors: Priors

    def place(self, position: Position, data: Data) -> tuple[dict[str, Scalar], Scalar]:
        """Parameters at a position, and the log Jacobian; as `unwhiten`."""
        together, log_jacobian = self._together(data).at(position[SIGMA])
        log_ratio = position[RATIO] + jnp.log(self.priors.eta_scale / self.priors.sigma_scale)
        log_share = -0.5 * jax.nn.softplus(2.0 * log_ratio)
        sigma, eta = together * jnp.exp(log_share), together * jnp.exp(log_share + log_ratio)
        log_jacobian += jnp.log(together) + log_ratio + 2.0 * log_share
        fit = along_the_edge(sigma, eta, data)
        values: dict[str, Scalar] = {"sigma": sigma, "eta": eta}
        if self.priors.kind == "default":
            rate, log_slope = self.positive_rate(position[RATE], fit)
            values["rate"], values["doubling_time"] = rate, doubling_time_months(rate)
            log_jacobian += log_slope + jnp.log(values["doubling_time"] / rate)
        else:
            centre, scale = combine(fit.rate, fit.rate_precision, 0.0, self.priors.rate_sd**-2)
            values["rate"] = centre + scale * position[RATE]
            log_jacobian += jnp.log(scale)
        edge = soft_edge(values["rate"], sigma, eta, data)
        along = lambda z: self._alpha(z, edge, data)  # noqa: E731
        values["alpha"], slope = jax.jvp(along, (position[ALPHA],), (jnp.ones(()),))
        return values, log_jacobian + jnp.log(slope)

    def _alpha(self, z: Scalar, edge: Edge, data: Data) -> Scalar:
        z = -data.slope_sign * z
        precision = self.priors.alpha_sd**-2
        # The prior holds alpha where there are few rows, but must not move a sharp edge.
        of_rows = 1.0 / (1.0 + precision * edge.outside**2)
        inside = (edge.inside**-2 + precision) ** -0.5
        lowest = edge.level(of_rows**-0.5 * jax.nn.softplus(z))
        level = of_rows * lowest - (1.0 - of_rows) * data.slope_sign * data.y_mean
        return -data.slope_sign * (level - inside * jax.nn.softplus(-z))

    def _together(self, data: Data) -> NoiseAxis:
        typical = jnp.hypot(self.priors.sigma_scale, self.priors.eta_scale)
        squares, freedoms = scatter(data)
        # Without a trend known beforehand few rows look closer to it than they are.
        squares *= _INFORMATION * (1.0 + 2.0 / jnp.maximum(jnp.sum(data.mask) - 1.0, 1.0))
        log_centre = jnp.log(MEDIAN_OF_HALF_NORMAL * typical)
        known = log_noise(log_centre, _SPREAD_OF_LOG, squares, _INFORMATION * freedoms)
        return axis_of(known, _LINEAR_FROM * typical)

    def _sigma_coordinate(self, sigma: Scalar, data: Data) -> Scalar:
        """Position at which noise and excess are together as large as a sigma."""
        return jnp.clip(self._together(data).coordinate(sigma), -FARTHEST, FARTHEST)


class Ends(NamedTuple):
    """Where each row would hold the frontier back, and how strongly."""

    at: PerObs
    """Its value; of a row with bounds the least efficient one."""
    some: Array
    """Whether any row is an edge: one that is open on that side is none."""
    number: Scalar
    variance: PerObs
    """Of the noise, in squared doublings."""
    weight: PerObs
    """They sum to one; zero where a row is no edge."""
    noise: Scalar
    """Standard deviation of the noise of all, in doublings."""
    sharpness: Scalar
    """Doublings of excess to one of log likelihood: eta, or more where noise hides it."""


def ends(rate: Scalar, sigma: Scalar, eta: Scalar, data: Data) -> Ends:
    """The ends of all rows; `rate` is what the error of a date turns on."""
    end = jnp.where(data.slope_sign < 0.0, data.high, data.low)
    counts = data.mask & (jnp.isfinite(end) | ~is_censored(data))
    some = jnp.any(counts)
    # Where no row is an edge, anything finite will do: the prior alone holds alpha then.
    counts, number = counts | ~some, jnp.maximum(jnp.sum(counts), 1.0)
    variance = sigma**2 + data.value_sd**2 + (rate * data.date_sd) ** 2
    weight = jnp.where(counts, 1.0 / (variance + eta**2), 0.0)
    noise = jnp.sqrt(number / jnp.sum(jnp.where(counts, 1.0 / variance, 0.0)))
    return Ends(
        at=jnp.where(jnp.isfinite(end), end, data.y),
        some=some,
        number=number,
        variance=variance,
        weight=weight / jnp.sum(weight),
        noise=noise,
        sharpness=eta + 1e-3 * noise,
    )


def along_the_edge(sigma: Scalar, eta: Scalar, data: Data) -> LeastSquares:
    r"""Where the rate of the frontier lies and how sharply, the level integrated out.

    Without an excess that is least squares. Where it is all there is, the lowest rows alone have a
    say: see `_rate_of_the_lowest`.
    """
    sharp = (sigma + eta / (1.0 + jnp.sum(data.mask))) / (sigma + eta)
    fit = least_squares(sigma, data, eta**2 * sharp)
    share = eta**2 / (sigma**2 + eta**2)
    return fit._replace(rate=fit.rate + share * (_rate_of_the_lowest(data) - fit.rate))


def _rate_of_the_lowest(data: Data) -> Scalar:
    r"""Rate that leaves the lowest rows the most room, at a temperature that their scatter sets.

    With :math:`d_i(r)` the rows less their trend, the level that they leave is about their soft
    minimum :math:`-\tau \log \sum_i w_i \exp(-d_i(r) / \tau)`, and the log likelihood of a rate
    n / eta times what that gains on the mean of all: concave in r, and least squares where the
    temperature is high. Newton's method starts there and cools.
    """
    rows = ends(data.rate_guess, data.sigma_guess, data.sigma_guess, data)
    middle = rows.weight @ data.t
    spread = rows.weight @ (data.t - middle) ** 2 + _LEAST_SPREAD
    rate = data.rate_guess
    for step in range(COOLING_STEPS):
        heat = data.sigma_guess * rows.number ** (-COLDEST * step / (COOLING_STEPS - 1))
        away = (data.slope_sign * rows.at - rate * data.t) / heat
        away = jnp.where(rows.weight > 0.0, away, -jnp.inf)
        share = rows.weight * jnp.exp(away - jnp.max(away))
        share /= jnp.sum(share)
        centre = share @ data.t
        across = share @ (data.t - centre) ** 2 + _LEAST_SHARE * spread
        rate += (centre - middle) * heat / across
    return rate


class Edge(NamedTuple):
    """Where the frontier's level ends, given all else, in doublings less efficient."""

    levels: PerObs
    """Where each row ends it."""
    inside: Scalar
    """Scale on the side that is above no row."""
    outside: Scalar
    """Scale on the side where the noise of the lowest rows must account for them."""
    scales: PerObs
    """That of each row."""
    exact: PerObsMask
    """Rows that are an edge and have no error but sigma."""
    other: PerObsMask
    """Rows that are an edge and have another."""
    heats: tuple[Scalar, Scalar]
    """Doublings within which exact rows, and the others, end the level together."""
    heating: Scalar
    """What is added to the heat of exact rows by one scale beyond the edge."""

    def level(self, beyond: Scalar) -> Scalar:
        """The level that is so many scales beyond the edge.

        It is a soft minimum over the rows. Exact rows have a heat of their own: that of a row whose
        date is uncertain would hold the level far off two of them that lie close together. The
        farther beyond the edge, the more that matters where two rows hold the level in place of
        one: with an energy of ``n z**2 / 2`` a larger number of rows must mean a smaller z.
        """
        levels = self.levels + beyond * self.scales
        heats = self.heats[0] + self.heating * beyond, self.heats[1]
        exact, other = (
            _soft_minimum(levels, rows, heat)
            for rows, heat in zip((self.exact, self.other), heats, strict=True)
        )
        heat = jnp.maximum(*self.heats)
        both = -heat * jnp.logaddexp(-exact / heat, -other / heat)
        both = jnp.where(jnp.any(self.other), both, exact)
        return jnp.where(jnp.any(self.exact), both, other)


def _soft_minimum(levels: PerObs, rows: PerObsMask, heat: Scalar) -> Scalar:
    """Of the levels of some rows; zero where there are none."""
    # From the lowest of them, or the slope in heat is lost where noise is very small.
    lowest = jax.lax.stop_gradient(jnp.min(jnp.where(rows, levels, jnp.inf)))
    lowest = jnp.where(jnp.any(rows), lowest, 0.0)
    share = jnp.exp(jnp.where(rows, (lowest - levels) / heat, -jnp.inf))
    return lowest - heat * jnp.log(jnp.where(jnp.any(rows), jnp.sum(share), 1.0))


def soft_edge(rate: Scalar, sigma: Scalar, eta: Scalar, data: Data) -> Edge:
    r"""The level of the frontier by the method of moments, near the lowest rows.

    With :math:`d_i` the rows less their trend, :math:`E \exp(-d_i / \tau)` is
    :math:`\exp(-\alpha/\tau + s_i^2 / 2 \tau^2) / (1 + \eta/\tau)`, for any temperature. A large
    one makes this the mean of the rows less eta, which is best without an excess; one near the
    noise makes it their minimum, softened by the noise. Then each row has a temperature near its
    own noise: by a colder one, a row with an uncertain date would end the level far above itself.
    """
    rows = ends(rate, sigma, eta, data)
    n, noise = rows.number, rows.noise
    share = eta**2 / (noise**2 + eta**2)
    sd, sd_exact = (noise + share * (of - noise) for of in (jnp.sqrt(rows.variance), sigma))
    heat = 0.5 * noise * (noise + eta) / rows.sharpness
    own, heat_exact = heat + 0.5 * (sd - noise), heat + 0.5 * (sd_exact - noise)
    counts = rows.weight > 0.0
    log_weight = jnp.log(jnp.where(counts, rows.weight, 1.0))
    away = rate * data.t - data.slope_sign * rows.at
    exact = (data.value_sd == 0.0) & (data.date_sd == 0.0)
    hottest = jnp.max(jnp.where(counts & ~exact, own, heat_exact))
    inside = jnp.sqrt(noise**2 / n + (eta / n) ** 2)
    # The nearer to a minimum, the less do other rows share in what one of them has to bear.
    sharing = jnp.sqrt((noise**2 / n + eta**2) / (noise**2 + eta**2))
    heating = HEATING * share * sharing * sd_exact / jnp.maximum(jnp.log(n), 2.0)
    return Edge(
        levels=away + 0.5 * rows.variance / own - own * (jnp.log1p(eta / own) + log_weight),
        inside=jnp.where(rows.some, inside, NOWHERE),
        outside=jnp.where(rows.some, sharing * noise, NOWHERE),
        scales=jnp.where(rows.some, sharing * sd, NOWHERE),
        exact=counts & exact,
        other=counts & ~exact,
        heats=(heat_exact, hottest),
        heating=heating,
    )
