"""Exact leave-one-out: the posterior without each row in turn, and the density of the row under it.

A row is left out by the mask alone, so that every refit runs the program of the whole series. The
few rows of these series are where importance sampling from the full posterior is least reliable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from effbayes.inference import nuts, predictive
from effbayes.models.contract import Data, Model
from effbayes.runtime import Plan

Refitted = Callable[[int, int], None]
"""Called with refits done and refits in all."""


class Refit(NamedTuple):
    """The posterior without one row."""

    row: int
    """Place among the rows used."""
    draws: nuts.Draws
    log_likelihood: np.ndarray
    """Of the row left out, dims (chain, draw)."""


def refits(
    model: Model,
    data: Data,
    root: np.ndarray,
    settings: nuts.SamplerSettings,
    *,
    plan: Plan,
    progress: Refitted | None = None,
) -> Iterator[Refit]:
    """Refit a model without each of its rows.

    Parameters
    ----------
    model
        Frozen value.
    data
        The whole series, dims (obs,). What priors take from it (the centre of alpha's, the span
        that a change lies in) stays as it was: rows left out change the likelihood alone.
    root
        Bits of the root key, dims (2,); each refit folds its row into it.
    settings
        Of each refit.
    plan
        From `effbayes.runtime.plan`.
    progress
        Called after every refit.

    Yields
    ------
    Refit
        In the order of the rows.
    """
    key = jax.random.wrap_key_data(jnp.asarray(root))
    rows = np.flatnonzero(data.mask)
    for done, row in enumerate(rows, start=1):
        without = np.array(data.mask)
        without[row] = False
        own = jax.random.fold_in(key, int(row))
        bits = np.asarray(jax.random.key_data(own))
        draws = nuts.run_nuts(
            model, data._replace(mask=jnp.asarray(without)), bits, settings, plan=plan
        )
        whole = predictive.pointwise(model, own, draws.values, data, plan=plan)
        yield Refit(int(row), draws, whole.log_likelihood[..., row])
        if progress is not None:
            progress(done, len(rows))
