"""A posterior by independent draws with weights, where a few parameters make that the cheapest way.

Draws come in rounds from a mixture of Student t distributions: one fitted, which begins where the
whitened coordinates have the posterior; one where chains start far from that; and a wide one. After
each round the fitted one takes the moments of that round's weighted draws (adaptive importance
sampling: Bugallo et al. 2017, IEEE Signal Processing Magazine 34); as long as a few draws have all
the weight, weights are raised to a power below one, and it moves towards the posterior by steps.
Once a round had many effective draws, or rounds enough have passed, the proposal stays. All rounds
up to there are thrown away: the draws kept are independent given the proposal, each with its exact
weight.

No derivative is asked for: in whitened coordinates moments are found in a few rounds, and a program
without second derivatives compiles in a fraction of the time. Weights say how far they can be
trusted: their effective number and Pareto k-hat go with them. What no draw has met they do not
know: of a second mode far off and narrow they say nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool

from effbayes.arrays import Count, PerDraw, Position, Positions, RandomKey, Scalar
from effbayes.errors import UsageError
from effbayes.inference import proposals as proposed
from effbayes.inference.pareto import k_hat
from effbayes.inference.proposals import Mixture, Proposal, effective, fitted, widened

K_LIMIT, ESS_LIMIT = 0.5, 400.0
"""Weights are trusted with a k-hat below the first and an effective number of at least the second:
their variance exists then, and the central limit theorem holds."""

_FITS = 4
_LEAST_POWER = 1e-12
_HALVINGS = 16


@dataclass(frozen=True)
class ImportanceSettings:
    """Numbers of draws.

    Attributes
    ----------
    draws
        Of a round.
    fits
        Rounds after which the proposal is fitted anew, at most.
    rounds
        Rounds whose draws are kept.
    least
        Draws that count when weights are raised to a power.
    good
        Share of a round's draws that is effective once the proposal needs no more fits.
    mixture
        What draws come from.
    """

    draws: int = 256
    fits: int = 12
    rounds: int = 4
    least: int = 50
    good: float = 0.35
    mixture: Mixture = field(default_factory=Mixture)

    def __post_init__(self) -> None:
        if self.draws < 2 * self.least or self.fits < 1 or self.rounds < 1:
            raise UsageError(f"{self}: at least {2 * self.least} draws, 1 fit and 1 round")

    @property
    def number(self) -> int:
        """Draws that are kept."""
        return self.rounds * self.draws


LogDensity = Callable[[Position], Scalar]


class Weighted(NamedTuple):
    """Draws with weights.

    Attributes
    ----------
    position
        Dims (draw, dim).
    weight
        They sum to one; dims (draw,).
    k_hat, ess
        Pareto k-hat, and the effective number of draws.
    """

    position: Positions
    weight: PerDraw
    k_hat: Scalar
    ess: Scalar


class _Search(NamedTuple):
    """Rounds so far, whether they were enough, and the proposal fitted to the last."""

    round: Count
    enough: Bool[Array, ""]
    fitted: Proposal


class _Between(NamedTuple):
    """Powers between which the one that is sought lies, after some steps."""

    step: Count
    low: Scalar
    high: Scalar


def importance(
    log_density: LogDensity, starts: Positions, settings: ImportanceSettings, key: RandomKey
) -> Weighted:
    """Weighted draws of one posterior.

    Parameters
    ----------
    log_density
        Up to a constant, in coordinates in which scales are about one.
    starts
        Where the posterior is likely to lie, and another place; dims (start, dim).
    settings
        Numbers of draws.
    key
        Of this posterior alone.
    """
    mixture = settings.mixture
    unit = jnp.eye(starts.shape[1])
    elsewhere = Proposal(starts[1], unit)

    def drawn_from(fit: Proposal, key: RandomKey) -> tuple[Positions, PerDraw]:
        proposals = (fit, elsewhere, widened(fit, mixture.wide))
        position = proposed.draw(proposals, settings.draws, mixture, key)
        log_weight = jax.vmap(log_density)(position)
        log_weight -= proposed.log_density(proposals, mixture, position)
        # No weight where the density is not finite: such a place has none.
        return position, jnp.where(jnp.isfinite(log_weight), log_weight, -jnp.inf)

    def one_fit(search: _Search) -> _Search:
        position, log_weight = drawn_from(search.fitted, jax.random.fold_in(key, search.round))
        done = search.round + 1
        good = (done >= _FITS) & (effective(log_weight) >= settings.good * settings.draws)
        return _Search(
            round=done,
            enough=good | (done >= settings.fits),
            fitted=fitted(position, _tempered(log_weight, settings.least), search.fitted, mixture),
        )

    first = _Search(
        round=jnp.zeros((), jnp.int32),
        enough=jnp.zeros((), bool),
        fitted=Proposal(starts[0], mixture.begin * unit),
    )
    last = jax.lax.while_loop(lambda search: ~search.enough, one_fit, first)
    # The round that decides is not kept.
    numbers = last.round + jnp.arange(settings.rounds)
    keys = jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers)
    position, log_weight = jax.vmap(lambda key: drawn_from(last.fitted, key))(keys)
    position = position.reshape(settings.number, -1)
    log_weight = log_weight.ravel()
    weight = jax.nn.softmax(log_weight)
    return Weighted(position, weight, k_hat(log_weight), 1.0 / jnp.sum(weight**2))


def _tempered(log_weight: PerDraw, least: int) -> PerDraw:
    """Weights to the power, at most one, at which at least so many draws count."""
    log_weight = log_weight - jnp.max(log_weight)
    enough = effective(log_weight) >= least

    def halve(between: _Between) -> _Between:
        step, low, high = between
        middle = jnp.sqrt(low * high)
        more = effective(middle * log_weight) >= least
        return _Between(step + 1, jnp.where(more, middle, low), jnp.where(more, high, middle))

    one = jnp.ones((), log_weight.dtype)
    # No step where the weights are good as they are, which they nearly always are.
    first = _Between(
        step=jnp.where(enough, _HALVINGS, 0), low=jnp.where(enough, 1.0, _LEAST_POWER), high=one
    )
    last = jax.lax.while_loop(lambda between: between.step < _HALVINGS, halve, first)
    return last.low * log_weight
