"""The drifting rate as a NumPyro program: priors, likelihood, and draws from the prior.

Apart from `effbayes.models.drift`, so that a run whose compiled program is at hand does not wait
for NumPyro to be imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import constraints

from effbayes.arrays import PerObs, Scalar
from effbayes.models import as_normal
from effbayes.models.contract import Data, Parameters
from effbayes.models.drift_marginal import marginal
from effbayes.models.trend_program import TrendProgram, sample_trend

if TYPE_CHECKING:
    from effbayes.models.drift import Priors


@dataclass(frozen=True)
class Program(TrendProgram):
    """Sites alpha, doubling_time or rate (at the mean date), sigma, drift, y."""

    priors: Priors
    alike: bool

    def own(self) -> dict[str, Scalar]:
        """The drift."""
        return {"drift": numpyro.sample("drift", dist.HalfNormal(self.priors.drift_scale))}

    def observed(self, values: Parameters, data: Data) -> Observed:
        """The likelihood at given parameters."""
        return Observed(values, data, alike=self.alike)

    def __call__(self, data: Data) -> None:
        """Run the program; rows are dependent, so that the data are one site without a plate."""
        values = sample_trend(self.priors, data) | self.own()
        numpyro.sample("y", self.observed(values, data), obs=as_normal.middle(data))


class Observed(dist.Distribution):
    """Joint distribution of the log2 values, the path integrated out; padding counts for nothing.

    Parameters
    ----------
    values
        Sites of the program.
    data
        The rows.
    alike
        As in `effbayes.models.drift_marginal.marginal`.
    """

    support = constraints.real_vector

    def __init__(self, values: Parameters, data: Data, *, alike: bool) -> None:
        self.data = data
        self.marginal = marginal({**values, "rate_mid": values["rate"]}, data, alike=alike)
        super().__init__(event_shape=jnp.shape(data.t))

    def log_prob(self, value: PerObs) -> Scalar:
        """Joint log density of the rows."""
        return self.marginal.log_density(value, self.data)
