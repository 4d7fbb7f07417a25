"""Mixtures of Student t distributions that weighted draws come from, and how one is fitted.

A mixture has three parts: one that is fitted to the posterior, one elsewhere, and one as the fitted
but wide. There are two families. For a few coordinates, a multivariate t with the mean and the
covariance of weighted draws. For many coordinates of which the leading ones are common to the rest,
as a population is to its members, each coordinate has a t of its own given those: one chi-squared
for all of them would spread the draws of all where the tails of one ask for it, and covariances
among the rest, which are independent given the common ones, would be noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln, logsumexp

from effbayes.arrays import PerDraw, Position, Positions, RandomKey, Scalar, Square
from effbayes.errors import UsageError


@dataclass(frozen=True)
class Mixture:
    """A family of proposals.

    Attributes
    ----------
    shares
        Of the draws: from the fitted proposal, from elsewhere, from the wide one.
    begin
        Scale of the first proposal: whitened coordinates have a posterior of about unit scale.
    wide
        How much wider than the fitted proposal the wide one is.
    wider
        How much wider than the moments say the fitted proposal is.
    freedoms
        Degrees of freedom: even, so that a chi-squared is a sum of exponentials.
    common
        How many leading coordinates are common to the rest, which has the degrees of freedom
        `freedoms_of_rest`; None where there is one t for all.
    freedoms_of_rest
        See there.
    """

    shares: tuple[float, float, float] = (0.75, 0.05, 0.2)
    begin: float = 1.5
    wide: float = 3.0
    wider: float = 1.1
    freedoms: int = 4
    common: int | None = None
    freedoms_of_rest: int = 16

    def __post_init__(self) -> None:
        faults = []
        if self.freedoms < 2 or self.freedoms % 2:
            faults.append(f"freedoms = {self.freedoms}, must be even and positive")
        if self.freedoms_of_rest < 1:
            faults.append(f"freedoms_of_rest = {self.freedoms_of_rest}, must be positive")
        if self.common is not None and self.common < 1:
            faults.append(f"common = {self.common}, must be positive or None")
        if min(self.shares) < 0.0 or self.shares[0] <= 0.0 or abs(sum(self.shares) - 1.0) > 1e-9:
            faults.append(f"shares = {self.shares}, must sum to one, none of them below zero")
        if min(self.begin, self.wide, self.wider) <= 0.0:
            faults.append("scales must be positive")
        if faults:
            raise UsageError("; ".join(faults))

    def counts(self, number: int) -> list[int]:
        """Draws from each: shares that are fixed beforehand vary less than drawn ones."""
        counts = [int(share * number) for share in self.shares[1:]]
        return [number - sum(counts), *counts]

    def freedoms_of(self, dim: int) -> Position:
        """Of each coordinate that has a t of its own."""
        common = jnp.arange(dim) < (self.common or 0)
        return jnp.where(common, 1.0 * self.freedoms, 1.0 * self.freedoms_of_rest)


class Proposal(NamedTuple):
    """Centre and scale of a t in many dimensions, or of one in each; `root` is a lower triangle."""

    centre: Position
    root: Square


Proposals = tuple[Proposal, ...]


def widened(proposal: Proposal, times: float) -> Proposal:
    """A proposal of the same shape."""
    return proposal._replace(root=times * proposal.root)


def draw(proposals: Proposals, number: int, mixture: Mixture, key: RandomKey) -> Positions:
    """Draws from all proposals in their shares, dims (draw, dim)."""
    dim = proposals[0].centre.shape[0]
    standard = _together if mixture.common is None else _apart
    scaled = standard(mixture, (number, dim), key).astype(proposals[0].centre.dtype)
    counts = mixture.counts(number)
    bounds = [sum(counts[:i]) for i in range(len(proposals) + 1)]
    parts = [
        each.centre[None] + scaled[low:high] @ each.root.T
        for each, low, high in zip(proposals, bounds[:-1], bounds[1:], strict=True)
    ]
    return jnp.concatenate(parts)


def log_density(proposals: Proposals, mixture: Mixture, position: Positions) -> PerDraw:
    """Log density of all proposals together (the balance heuristic of Veach and Guibas 1995)."""
    number, dim = position.shape
    shares = jnp.log(jnp.asarray(mixture.counts(number)) / number)
    standard = _log_together if mixture.common is None else _log_apart
    logs = []
    for each, share in zip(proposals, shares, strict=True):
        inverse = solve_triangular(each.root, jnp.eye(dim), lower=True)
        away = (position - each.centre[None]) @ inverse.T
        volume = jnp.sum(jnp.log(jnp.diag(inverse)))
        logs.append(share + volume + standard(mixture, away))
    return logsumexp(jnp.stack(logs), axis=0)


def fitted(
    position: Positions, log_weight: PerDraw, before: Proposal, mixture: Mixture
) -> Proposal:
    """The proposal with the moments of weighted draws; the last one where nothing can be fitted."""
    share = jax.nn.softmax(log_weight)
    mean = share @ position
    away = position - mean[None]
    covariance = (away * share[:, None]).T @ away
    if mixture.common is None:
        root = jnp.linalg.cholesky(mixture.wider**2 * covariance)
    else:
        root = mixture.wider * _root_given(covariance, mixture.common)
    sound = jnp.all(jnp.isfinite(root)) & jnp.all(jnp.isfinite(mean))
    # Moments of one draw are a point; weights from there are all alike, and say nothing.
    sound &= effective(log_weight) >= position.shape[1] + 2
    return Proposal(jnp.where(sound, mean, before.centre), jnp.where(sound, root, before.root))


def effective(log_weight: PerDraw) -> Scalar:
    """Effective number of draws with such weights."""
    weight = jnp.exp(log_weight - jnp.max(log_weight))
    return jnp.sum(weight) ** 2 / jnp.sum(weight**2)


def _root_given(covariance: Square, common: int) -> Square:
    """Root of a covariance whose later coordinates are independent given the common ones."""
    dim = covariance.shape[0]
    leading = jnp.linalg.cholesky(covariance[:common, :common])
    of_rest = solve_triangular(leading, covariance[:common, common:], lower=True).T
    own = jnp.diag(covariance)[common:] - jnp.sum(of_rest**2, axis=1)
    above = jnp.concatenate([leading, jnp.zeros((common, dim - common))], axis=1)
    below = jnp.concatenate([of_rest, jnp.diag(jnp.sqrt(own))], axis=1)
    return jnp.concatenate([above, below])


# Single precision is enough for where a draw lies, and half the work; its weight is exact.


def _together(mixture: Mixture, shape: tuple[int, int], key: RandomKey) -> Positions:
    """Draws of a multivariate t."""
    number, freedoms = shape[0], mixture.freedoms
    key_normal, key_scale = jax.random.split(key)
    normal = jax.random.normal(key_normal, shape, jnp.float32)
    exponential = jax.random.exponential(key_scale, (number, freedoms // 2), jnp.float32)
    return normal * jnp.sqrt(0.5 * freedoms / jnp.sum(exponential, axis=1))[:, None]


def _apart(mixture: Mixture, shape: tuple[int, int], key: RandomKey) -> Positions:
    """Draws of a t in each coordinate (Bailey 1994, Mathematics of Computation 62)."""
    key_length, key_angle = jax.random.split(key)
    freedoms = mixture.freedoms_of(shape[1]).astype(jnp.float32)[None]
    exponential = jax.random.exponential(key_length, shape, jnp.float32)
    angle = jax.random.uniform(key_angle, shape, jnp.float32, 0.0, 2.0 * jnp.pi)
    return jnp.sqrt(freedoms * jnp.expm1(2.0 * exponential / freedoms)) * jnp.cos(angle)


def _log_together(mixture: Mixture, away: Positions) -> PerDraw:
    """Log density of a multivariate t."""
    dim, freedoms = away.shape[1], mixture.freedoms
    half = 0.5 * (freedoms + dim)
    constant = gammaln(half) - gammaln(0.5 * freedoms) - 0.5 * dim * jnp.log(freedoms * jnp.pi)
    return constant - half * jnp.log1p(jnp.sum(away**2, axis=1) / freedoms)


def _log_apart(mixture: Mixture, away: Positions) -> PerDraw:
    """Log density of a t in each coordinate."""
    freedoms = mixture.freedoms_of(away.shape[1])
    half = 0.5 * (freedoms + 1.0)
    constant = gammaln(half) - gammaln(0.5 * freedoms) - 0.5 * jnp.log(freedoms * jnp.pi)
    return jnp.sum(constant) - jnp.log1p(away**2 / freedoms[None]) @ half
