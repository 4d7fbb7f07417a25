"""What models with one rate and one noise share: position, densities, draws from the prior.

A position is alpha, rate and sigma in the whitened coordinates of `effbayes.models.trend_space`,
followed by the model's own positive parameters, each a scale times a softplus.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from effbayes.arrays import Count, PerObs, Position, RandomKey, Scalar
from effbayes.dataset.series import Series
from effbayes.models.contract import Data, OneSeries, Parameters
from effbayes.models.priors import TrendPriors
from effbayes.models.simulation import reported, with_values
from effbayes.models.trend_space import TrendSpace
from effbayes.trend import doubling_time_months

if TYPE_CHECKING:
    from effbayes.models.trend_program import TrendProgram


class Positive(NamedTuple):
    """A positive parameter beside alpha, rate and sigma."""

    name: str
    scale: float
    """What its softplus is multiplied with: about the size that the parameter has."""


@dataclass(frozen=True)
class TrendModel(OneSeries, ABC):
    """A `effbayes.models.contract.Model` but for its noise; see there for what methods do.

    Parameters
    ----------
    priors
        Prior distributions; a model's own class adds those of its own parameters.
    """

    priors: TrendPriors

    @property
    @abstractmethod
    def name(self) -> str:
        """As the command line names it."""

    @property
    def own(self) -> tuple[Positive, ...]:
        """Parameters beside alpha, rate and sigma."""
        return ()

    @abstractmethod
    def program(self) -> TrendProgram:
        """The model as NumPyro sees it, imported when it is asked for: NumPyro is slow."""

    @abstractmethod
    def noise(self, key: RandomKey, values: Parameters, shape: tuple[int, ...]) -> Array:
        """Deviation of a new system from the trend, in doublings less efficient."""

    @abstractmethod
    def check(self, series: Series) -> None:
        """Refuse a series for which the posterior does not exist."""

    def beside(self, own: Mapping[str, Scalar], data: Data) -> PerObs | Scalar | float:  # noqa: ARG002 - for models that need it
        """Variance that the model's own parameters add to each row, for the coordinates alone."""
        return 0.0

    @property
    def prior_name(self) -> str:
        """Kind of prior, as the command line names it."""
        return self.priors.kind

    @property
    def parameters(self) -> tuple[str, ...]:
        """Scalar parameters beside the rate, in the order they are shown."""
        return ("alpha", "sigma", *(one.name for one in self.own))

    def log_density(self, position: Position, data: Data) -> Scalar:
        """Log joint density at a position of the whitened space, Jacobian included."""
        values, log_jacobian = self._unwhiten(position, data)
        return self._joint(values, data) + log_jacobian

    def constrain(self, position: Position, data: Data) -> dict[str, Scalar]:
        """Parameters, rate and, where progress is assumed, doubling time at a position."""
        return self._unwhiten(position, data)[0]

    def complete(self, key: RandomKey, values: Parameters, data: Data) -> dict[str, Array]:  # noqa: ARG002 - as above
        """Quantities that are drawn given the parameters."""
        return {}

    @property
    def space(self) -> TrendSpace:
        """Coordinates of alpha, rate and sigma."""
        return TrendSpace(self.priors)

    def initial(self, key: RandomKey, data: Data, *, far: Count) -> Position:
        """A jittered start."""
        start = self.space.start(data, far=far)
        start += [jnp.zeros(())] * len(self.own)
        return jnp.stack(start) + 0.3 * jax.random.normal(key, (len(start),))

    def log_prior(self, values: Parameters, data: Data) -> Scalar:
        """Log prior density of (alpha, doubling time or rate, sigma, the model's own)."""
        joint = self._joint(values, data)
        return joint - jnp.sum(self.log_likelihood(values, data))

    def log_likelihood(self, values: Parameters, data: Data) -> PerObs:
        """Pointwise log-likelihood; zero for padding."""
        observed = self.program().observed(values, data)
        return jnp.where(data.mask, observed.log_prob(data.y), 0.0)

    def predict(self, key: RandomKey, values: Parameters, data: Data) -> PerObs:
        """A replicated log2 value at each row."""
        return self.program().observed(values, data).sample(key)

    def simulate(self, key: RandomKey, values: Parameters, data: Data) -> Data:
        """A data set drawn from the parameters."""
        new = self.predict(key, values, data)
        return with_values(data, reported(new, data.low, data.high))

    @property
    def has_proper_prior(self) -> bool:
        """False for the reference prior."""
        return self.priors.kind != "reference"

    def prior_draw(self, key: RandomKey, data: Data) -> dict[str, Array]:
        """Parameters and rate drawn from the prior."""
        return self.program().prior_draw(key, data)

    def describe(self) -> dict[str, Any]:
        """Name, noise and priors."""
        return {"model": self.name, "noise": "normal", "priors": asdict(self.priors)}

    def _joint(self, values: Parameters, data: Data) -> Scalar:
        sites = dict(values)
        if self.priors.kind == "default":
            sites.setdefault("doubling_time", doubling_time_months(sites["rate"]))
        return self.program().log_joint(sites, data)

    def _unwhiten(self, position: Position, data: Data) -> tuple[dict[str, Scalar], Scalar]:
        """Parameters at a position and the log Jacobian of the map to the NumPyro sites."""
        own, log_jacobian = {}, jnp.zeros(())
        for (name, scale), z in zip(self.own, position[3:], strict=True):
            own[name] = scale * jax.nn.softplus(z)
            log_jacobian += jnp.log(scale) + jax.nn.log_sigmoid(z)
        trend, log_slopes = self.space.unwhiten(position[:3], data, self.beside(own, data))
        return trend | own, log_jacobian + log_slopes
