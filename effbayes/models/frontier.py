r"""The stochastic frontier: a trend that systems lie above, and noise that acts both ways.

.. math::

    y_i = \alpha - r t_i + u_i + e_i, \qquad
    u_i \sim \mathrm{Exponential}(\text{mean}\ \eta), \qquad
    e_i \sim \mathrm{Normal}(0, s_i), \qquad
    s_i^2 = \sigma^2 + \mathrm{value\_sd}_i^2 + (r\,\mathrm{date\_sd}_i)^2

with y = log2(value), t in years, r in doublings of efficiency per year; for a rising series the
signs of r and u turn. The line is the best that could be had at a date, u by how much a system
falls short of it: every point counts, and nobody chooses those on the frontier (Aigner, Lovell and
Schmidt 1977, Journal of Econometrics 6; Meeusen and van den Broeck 1977, International Economic
Review 18). u is integrated out in closed form (`effbayes.models.emg`).

The likelihood has no pole that the prior does not outweigh, unless all exact rows lie on one line:
each row's density is at most 1 / eta and at most 0.4 / s, so both must vanish together, and then
one row off the line costs more than the others gain. A flat prior of log sigma is out of the
question: with sigma = 0 the likelihood is that of shifted exponentials, which is positive, and
``1 / sigma`` cannot be integrated at zero, whatever the data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import logsumexp

from effbayes.arrays import Position, RandomKey, Scalar
from effbayes.dataset.series import Series
from effbayes.errors import UsageError
from effbayes.models.axes import combine
from effbayes.models.contract import Data, Parameters, is_censored
from effbayes.models.least_squares import Beside, least_squares
from effbayes.models.priors import TrendPriors
from effbayes.models.propriety import require_proper
from effbayes.models.trend_model import Positive, TrendModel
from effbayes.models.trend_space import (
    ALPHA,
    RATE,
    SIGMA,
    TrendSpace,
)
from effbayes.trend import doubling_time_months
from effbayes.types import Rows

if TYPE_CHECKING:
    from effbayes.models.frontier_program import Program

ROWS: Rows | None = "all"
"""Which rows of a series the model uses by itself: it accounts for those behind the frontier."""

RATIO = 3
"""Place of the ratio of eta to sigma in a position."""

NOWHERE = 1e6
"""Scale of alpha in doublings where no row tells of the frontier."""


@dataclass(frozen=True)
class Priors(TrendPriors):
    """Priors of the stochastic frontier: those of `TrendPriors`, and of the excess.

    Attributes
    ----------
    eta_scale
        Scale of the half-normal of eta, the mean excess, in doublings.

    Raises
    ------
    UsageError
        Kind "reference": the posterior is improper for every series.
    """

    eta_scale: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind == "reference":
            raise UsageError(
                "model frontier has no reference prior: flat in log sigma, no posterior exists, "
                "because an excess without any noise explains every table; "
                "use --prior default or signed"
            )


@dataclass(frozen=True)
class Frontier(TrendModel):
    """The stochastic frontier as a `effbayes.models.contract.Model`.

    Parameters
    ----------
    priors
        Prior distributions.
    censored
        Whether any row has bounds; False leaves that arithmetic out of the program.
    """

    priors: Priors = field(default_factory=Priors)
    censored: bool = True
    name: str = "frontier"

    @property
    def own(self) -> tuple[Positive, ...]:
        """The mean excess."""
        return (Positive("eta", self.priors.eta_scale),)

    def program(self) -> Program:
        """The NumPyro program."""
        from effbayes.models.frontier_program import Program  # noqa: PLC0415 - NumPyro is slow

        return Program(self.priors, self.censored)

    def noise(self, key: RandomKey, values: Parameters, shape: tuple[int, ...]) -> Array:
        """Deviation of a new system from the frontier, in doublings less efficient."""
        key_noise, key_excess = jax.random.split(key)
        error = values["sigma"] * jax.random.normal(key_noise, shape)
        return error + values["eta"] * jax.random.exponential(key_excess, shape)

    def check(self, series: Series) -> None:
        """Refuse a series for which the posterior is improper.

        Three exact rows on one line are refused like more of them: their posterior exists, but its
        density has a pole where sigma and eta vanish.

        Raises
        ------
        DataError
            The rows lie on one line.
        """
        require_proper(series, prior=self.priors.kind, robust=False)

    def describe(self) -> dict[str, Any]:
        """Name, noise and priors."""
        return super().describe() | {"noise": "normal with an exponential excess"}

    def _unwhiten(self, position: Position, data: Data) -> tuple[dict[str, Scalar], Scalar]:
        return FrontierSpace(self.priors).place(position, data)


@dataclass(frozen=True)
class FrontierSpace(TrendSpace):
    r"""Coordinates in which a frontier has no cliff and no narrow ridge.

    When sigma is small, the density rises towards the lowest rows like ``exp(n alpha / eta)`` and
    ends there within sigma: no single scale of alpha fits both sides. Given the rest, alpha is
    therefore measured from that edge, with a scale of its own on either side. And rows tell what
    noise and excess are together, :math:`\sqrt{\sigma^2 + \eta^2}`, well, but hardly which of them
    it is: that, and the ratio of the two, are coordinates in place of sigma and eta.
    """

    priors: Priors

    def place(self, position: Position, data: Data) -> tuple[dict[str, Scalar], Scalar]:
        """Parameters at a position, and the log Jacobian; as `unwhiten`."""
        x, width = self._sigma_axis(position[SIGMA], data)
        together = jax.nn.softplus(x)
        log_ratio = position[RATIO] + jnp.log(self.priors.eta_scale / self.priors.sigma_scale)
        log_share = -0.5 * jax.nn.softplus(2.0 * log_ratio)
        sigma, eta = together * jnp.exp(log_share), together * jnp.exp(log_share + log_ratio)
        log_jacobian = jax.nn.log_sigmoid(x) + jnp.log(width)
        log_jacobian += jnp.log(together) + log_ratio + 2.0 * log_share
        # What the rows tell about a slope: one over the variance, or more with a sharp edge.
        sharp = (sigma + eta / (1.0 + jnp.sum(data.mask))) / (sigma + eta)
        fit = least_squares(sigma, data, Beside(eta**2 * sharp))
        values: dict[str, Scalar] = {"sigma": sigma, "eta": eta}
        if self.priors.kind == "default":
            rate, log_slope = self.positive_rate(position[RATE], fit)
            values["rate"], values["doubling_time"] = rate, doubling_time_months(rate)
            log_jacobian += log_slope + jnp.log(values["doubling_time"] / rate)
        else:
            centre, scale = combine(fit.rate, fit.rate_precision, 0.0, self.priors.rate_sd**-2)
            values["rate"] = centre + scale * position[RATE]
            log_jacobian += jnp.log(scale)
        z = -data.slope_sign * position[ALPHA]
        edge = soft_edge(values["rate"], sigma, eta, data)
        # Away from the edge the rows hold alpha back; the prior does where there are few of them.
        centre, held = combine(
            edge.level, edge.inside**-2, -data.slope_sign * data.y_mean, self.priors.alpha_sd**-2
        )
        inside, outside = held, edge.outside * held / edge.inside
        level = centre - inside * jax.nn.softplus(-z) + outside * jax.nn.softplus(z)
        values["alpha"] = -data.slope_sign * level
        log_slope = jnp.logaddexp(
            jnp.log(inside) + jax.nn.log_sigmoid(-z), jnp.log(outside) + jax.nn.log_sigmoid(z)
        )
        return values, log_jacobian + log_slope


class Edge(NamedTuple):
    """Where the frontier's level ends, given all else, in doublings less efficient."""

    level: Scalar
    inside: Scalar
    """Scale on the side that is above no row."""
    outside: Scalar
    """Scale on the side where the noise of the lowest rows must account for them."""


def soft_edge(rate: Scalar, sigma: Scalar, eta: Scalar, data: Data) -> Edge:
    r"""The level of the frontier by the method of moments, near the lowest rows.

    With :math:`d_i` the rows less their trend, :math:`E \exp(-d_i / \tau)` is
    :math:`\exp(-\alpha/\tau + s_i^2 / 2 \tau^2) / (1 + \eta/\tau)`, for any temperature. A large
    one makes this the mean of the rows less eta, which is best without an excess; one near the
    noise makes it their minimum, softened by the noise.
    """
    end = jnp.where(data.slope_sign < 0.0, data.high, data.low)
    # A row with bounds is an edge where it is least efficient; one open there is none.
    counts = data.mask & (jnp.isfinite(end) | ~is_censored(data))
    edges = jnp.where(jnp.isfinite(end), end, data.y)
    rows = rate * data.t - data.slope_sign * edges
    variance = sigma**2 + data.value_sd**2 + (rate * data.date_sd) ** 2
    some = jnp.any(counts)
    # Where no row is an edge, anything finite will do: the prior alone holds alpha then.
    counts, n = counts | ~some, jnp.maximum(jnp.sum(counts), 1.0)
    weight = jnp.where(counts, 1.0 / (variance + eta**2), 0.0)
    noise = jnp.sqrt(n / jnp.sum(jnp.where(counts, 1.0 / variance, 0.0)))
    heat = 0.5 * noise * (noise + eta) / (eta + 1e-3 * noise)
    moment = logsumexp(-(rows + 0.5 * variance / heat) / heat, b=weight / jnp.sum(weight))
    level = -heat * (moment + jnp.log1p(eta / heat))
    inside = jnp.sqrt(noise**2 / n + (eta / n) ** 2)
    outside = noise * jnp.sqrt((noise**2 / n + eta**2) / (noise**2 + eta**2))
    return Edge(level, *(jnp.where(some, scale, NOWHERE) for scale in (inside, outside)))


def make_model(series: Series, priors: Priors, *, robust: bool) -> Frontier:
    """The model value for a series, checked against it.

    Parameters
    ----------
    series
        Checked series, with the rows that the model is to use.
    priors
        Prior distributions.
    robust
        Must be False: the excess already allows for systems far from the frontier.

    Raises
    ------
    UsageError
        Robust noise was asked for.
    DataError
        The posterior does not exist.
    """
    if robust:
        raise UsageError("model frontier has no robust noise: its excess is one-sided already")
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    model = Frontier(priors=priors, censored=bool(np.any(bounded & series.used)))
    model.check(series)
    return model
