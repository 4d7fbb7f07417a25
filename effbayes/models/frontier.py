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
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import Array

from effbayes.arrays import Position, RandomKey, Scalar
from effbayes.dataset.series import Series
from effbayes.errors import UsageError
from effbayes.models.contract import Data, Parameters
from effbayes.models.frontier_space import FrontierSpace
from effbayes.models.priors import FrontierPriors
from effbayes.models.propriety import require_proper
from effbayes.models.trend_model import Positive, TrendModel

if TYPE_CHECKING:
    from effbayes.models.frontier_program import Program

Priors = FrontierPriors


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

    @property
    def space(self) -> FrontierSpace:
        """Coordinates of all four."""
        return FrontierSpace(self.priors)

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
        return self.space.place(position, data)


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
