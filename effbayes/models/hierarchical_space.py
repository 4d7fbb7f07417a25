"""Coordinates of a population, and where the noises of its members lie given the typical one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from effbayes.arrays import Scalar
from effbayes.models.axes import Normal, softplus_inverse
from effbayes.models.contract import Data
from effbayes.models.noise_axis import NoiseAxis, log_noise, scatter

if TYPE_CHECKING:
    from effbayes.models.hierarchical import Priors


@dataclass(frozen=True)
class Space:
    """The coordinates of the population, and what the data say of each series' noise."""

    priors: Priors
    data: Data

    @property
    def prior_of_mean(self) -> Normal:
        """Prior of mu."""
        median = jnp.log(self.priors.doubling_time_median)
        return Normal(median, jnp.asarray(self.priors.doubling_time_sdlog))

    def tau(self, z: Scalar) -> tuple[Scalar, Scalar]:
        """Spread of the population at its coordinate, and the log of its slope there."""
        unit = 0.5 * self.priors.tau_scale
        return unit * jax.nn.softplus(z), jnp.log(unit) + jax.nn.log_sigmoid(z)

    def tau_axis(self, tau: Scalar) -> Scalar:
        """Inverse of `tau`."""
        return softplus_inverse(tau / (0.5 * self.priors.tau_scale))

    @property
    def s_axis(self) -> NoiseAxis:
        """Coordinate of the typical noise."""
        return NoiseAxis(0.25 * self.priors.sigma_scale, 0.0, 1.0)

    def log_sigma(self, s: Scalar) -> Normal:
        """Approximate distribution of each series' log noise given the typical one."""
        return log_noise(jnp.log(s), self.priors.sigma_spread, *scatter(self.data))
