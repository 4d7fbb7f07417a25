r"""The log-linear trend, the default model.

.. math::

    y_i \sim \mathrm{Normal}(\alpha - r t_i,\ s_i), \qquad
    s_i^2 = \sigma^2 + \mathrm{value\_sd}_i^2 + (r\,\mathrm{date\_sd}_i)^2

with y = log2(value), t in years, r in doublings of efficiency per year (for a rising series the
sign of r turns). Robust noise is Student's t with the same scale. A row known only to lie between
bounds contributes the probability of that interval.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import Array

from effbayes.arrays import RandomKey
from effbayes.dataset.series import Series
from effbayes.models.contract import Parameters, bucket_size
from effbayes.models.priors import LogLinearPriors
from effbayes.models.propriety import require_proper
from effbayes.models.trend_model import Positive, TrendModel

if TYPE_CHECKING:
    from effbayes.models.loglinear_program import Program


Priors = LogLinearPriors


@dataclass(frozen=True)
class LogLinear(TrendModel):
    """The log-linear trend as a `effbayes.models.contract.Model`.

    Parameters
    ----------
    priors
        Prior distributions.
    robust
        Student's t noise in place of normal.
    censored
        Whether any row has bounds; False leaves that arithmetic out of the program.
    """

    priors: Priors = field(default_factory=Priors)
    robust: bool = False
    censored: bool = True
    name: str = "loglinear"

    @property
    def own(self) -> tuple[Positive, ...]:
        """Degrees of freedom, where the noise has them."""
        return (Positive("nu", NU_SCALE),) if self.robust else ()

    def program(self) -> Program:
        """The NumPyro program."""
        from effbayes.models.loglinear_program import Program  # noqa: PLC0415 - NumPyro is slow

        return Program(self.priors, self.robust, self.censored)

    def noise(self, key: RandomKey, values: Parameters, shape: tuple[int, ...]) -> Array:
        """Deviation of a new system from the trend, in doublings."""
        if self.robust:
            return values["sigma"] * jax.random.t(key, values["nu"], shape)
        return values["sigma"] * jax.random.normal(key, shape)

    def check(self, series: Series) -> None:
        """Refuse a series for which the posterior is improper.

        Raises
        ------
        DataError
            The rows lie on one line, or are too few for the reference prior.
        """
        nu = self.priors.nu_shape, self.priors.nu_rate
        require_proper(series, prior=self.priors.kind, robust=self.robust, nu=nu)

    def describe(self) -> dict[str, Any]:
        """Name, noise and priors."""
        return super().describe() | {"noise": "student_t" if self.robust else "normal"}


def make_model(series: Series, priors: Priors, *, robust: bool) -> LogLinear:
    """The model value for a series, checked against it.

    A short series has the arithmetic of bounds in its program whether it has bounds or not: it
    costs next to nothing there, and one program then serves every short series.
    """
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    short = bucket_size(series.n_obs) <= SHORT
    censored = short or bool(np.any(bounded & series.used))
    model = LogLinear(priors=priors, robust=robust, censored=censored)
    model.check(series)
    return model


SHORT = 64
"""Rows of a bucket up to which bounds are always part of the program."""

NU_SCALE = 10.0
