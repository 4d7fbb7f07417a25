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
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln, logsumexp
from jaxtyping import Bool

from effbayes.arrays import Count, PerDraw, Position, Positions, RandomKey, Scalar, Square
from effbayes.errors import UsageError
from effbayes.inference.pareto import k_hat

K_LIMIT, ESS_LIMIT = 0.5, 400.0
"""Weights are trusted with a k-hat below the first and an effective number of at least the second:
their variance exists then, and the central limit theorem holds."""

WIDE = 3.0
"""How much wider than the fitted proposal the wide one is."""

BEGIN = 1.5
"""Scale of the first proposal: whitened coordinates have a posterior of about unit scale."""

FREEDOMS = 4
"""Degrees of freedom of the proposals: even, so that a chi-squared is a sum of exponentials."""

_SHARES = (0.75, 0.05, 0.2)
_WIDER = 1.1
_GOOD = 0.35
_FITS = 4
_LEAST = 50
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
    """

    draws: int = 256
    fits: int = 12
    rounds: int = 4

    def __post_init__(self) -> None:
        if self.draws < 2 * _LEAST or self.fits < 1 or self.rounds < 1:
            raise UsageError(f"{self}: at least {2 * _LEAST} draws, 1 fit and 1 round")

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


class _Proposal(NamedTuple):
    """A multivariate t; `root` is a lower triangle."""

    centre: Position
    root: Square


class _Search(NamedTuple):
    """Rounds so far, whether they were enough, and the proposal fitted to the last."""

    round: Count
    enough: Bool[Array, ""]
    fitted: _Proposal


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
    unit = jnp.eye(starts.shape[1])
    elsewhere = _Proposal(starts[1], unit)

    def drawn_from(fitted: _Proposal, key: RandomKey) -> tuple[Positions, PerDraw]:
        proposals = (fitted, elsewhere, _Proposal(fitted.centre, WIDE * fitted.root))
        position = _draw(proposals, settings.draws, key)
        log_weight = jax.vmap(log_density)(position) - _log_mixture(proposals, position)
        # No weight where the density is not finite: such a place has none.
        return position, jnp.where(jnp.isfinite(log_weight), log_weight, -jnp.inf)

    def one_fit(search: _Search) -> _Search:
        position, log_weight = drawn_from(search.fitted, jax.random.fold_in(key, search.round))
        done = search.round + 1
        good = (done >= _FITS) & (_ess(log_weight) >= _GOOD * settings.draws)
        return _Search(
            round=done,
            enough=good | (done >= settings.fits),
            fitted=_fit(position, log_weight, search.fitted),
        )

    first = _Search(
        round=jnp.zeros((), jnp.int32),
        enough=jnp.zeros((), bool),
        fitted=_Proposal(starts[0], BEGIN * unit),
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


def _counts(number: int) -> list[int]:
    """Draws from each proposal: shares that are fixed beforehand vary less than drawn ones."""
    counts = [int(share * number) for share in _SHARES[1:]]
    return [number - sum(counts), *counts]


def _draw(proposals: tuple[_Proposal, ...], number: int, key: RandomKey) -> Positions:
    key_normal, key_scale = jax.random.split(key)
    dim = proposals[0].centre.shape[0]
    # Single precision is enough for where a draw lies, and half the work; its weight is exact.
    normal = jax.random.normal(key_normal, (number, dim), jnp.float32)
    exponential = jax.random.exponential(key_scale, (number, FREEDOMS // 2), jnp.float32)
    scaled = normal * jnp.sqrt(0.5 * FREEDOMS / jnp.sum(exponential, axis=1))[:, None]
    scaled = scaled.astype(proposals[0].centre.dtype)
    bounds = [sum(_counts(number)[:i]) for i in range(len(proposals) + 1)]
    parts = [
        each.centre[None] + scaled[low:high] @ each.root.T
        for each, low, high in zip(proposals, bounds[:-1], bounds[1:], strict=True)
    ]
    return jnp.concatenate(parts)


def _log_mixture(proposals: tuple[_Proposal, ...], position: Positions) -> PerDraw:
    """Log density of all proposals together (the balance heuristic of Veach and Guibas 1995)."""
    number, dim = position.shape
    shares = jnp.log(jnp.asarray(_counts(number)) / number)
    half = 0.5 * (FREEDOMS + dim)
    constant = gammaln(half) - gammaln(0.5 * FREEDOMS) - 0.5 * dim * jnp.log(FREEDOMS * jnp.pi)
    logs = []
    for each, share in zip(proposals, shares, strict=True):
        inverse = solve_triangular(each.root, jnp.eye(dim), lower=True)
        squares = jnp.sum(((position - each.centre[None]) @ inverse.T) ** 2, axis=1)
        volume = jnp.sum(jnp.log(jnp.diag(inverse)))
        logs.append(share + volume - half * jnp.log1p(squares / FREEDOMS))
    return logsumexp(jnp.stack(logs), axis=0) + constant


def _ess(log_weight: PerDraw) -> Scalar:
    weight = jnp.exp(log_weight - jnp.max(log_weight))
    return jnp.sum(weight) ** 2 / jnp.sum(weight**2)


def _fit(position: Positions, log_weight: PerDraw, before: _Proposal) -> _Proposal:
    """A proposal with the moments of weighted draws; the last one where nothing can be fitted."""
    tempered = _tempered(log_weight)
    share = jax.nn.softmax(tempered)
    mean = share @ position
    away = position - mean[None]
    covariance = (away * share[:, None]).T @ away
    root = jnp.linalg.cholesky(_WIDER**2 * covariance)
    sound = jnp.all(jnp.isfinite(root)) & jnp.all(jnp.isfinite(mean))
    # Moments of one draw are a point; weights from there are all alike, and say nothing.
    sound &= _ess(tempered) >= position.shape[1] + 2
    return _Proposal(jnp.where(sound, mean, before.centre), jnp.where(sound, root, before.root))


def _tempered(log_weight: PerDraw) -> PerDraw:
    """Weights to the power, at most one, at which at least `_LEAST` draws count."""
    log_weight = log_weight - jnp.max(log_weight)
    enough = _ess(log_weight) >= _LEAST

    def halve(between: _Between) -> _Between:
        step, low, high = between
        middle = jnp.sqrt(low * high)
        more = _ess(middle * log_weight) >= _LEAST
        return _Between(step + 1, jnp.where(more, middle, low), jnp.where(more, high, middle))

    one = jnp.ones((), log_weight.dtype)
    # No step where the weights are good as they are, which they nearly always are.
    first = _Between(
        step=jnp.where(enough, _HALVINGS, 0), low=jnp.where(enough, 1.0, _LEAST_POWER), high=one
    )
    last = jax.lax.while_loop(lambda between: between.step < _HALVINGS, halve, first)
    return last.low * log_weight
