"""Ranks of the draws of chains, and the band that those of chains that are alike stay in."""

from __future__ import annotations

from functools import cache

import numpy as np

from effbayes.figures.charts import Numbers

SIMULATIONS = 2000
AT_ONCE = 250


def relative_ranks(draws: Numbers) -> Numbers:
    """Rank of each draw among those of all chains, as a share; dims (chain, draw)."""
    ranks = np.empty(draws.size)
    ranks[np.argsort(draws, axis=None)] = np.arange(1, draws.size + 1)
    return ranks.reshape(draws.shape) / draws.size


@cache
def rank_band(draws: int, chains: int, *, prob: float = 0.95) -> tuple[Numbers, Numbers, Numbers]:
    """The band that holds the ECDF of every chain's ranks together, where the chains are alike.

    How many of a chain's draws are among the k smallest of all is hypergeometric; the share of each
    point's own distribution that is left out is the one by which, in simulations, all chains stay
    inside with probability `prob` (Säilynoja, Bürkner and Vehtari 2022, Statistics and Computing
    32, section 3). ArviZ 1.3 has this too, but draws its simulations as if ranks were independent:
    of alike chains, 15 % leave its band of 95 %.

    Returns
    -------
    tuple
        Shares from 0 to 1, and the least and greatest share of a chain's draws below each.
    """
    below = chains * np.arange(1, draws)
    cdf = _hypergeometric(draws, chains, below)
    rng = np.random.default_rng(0)  # a constant: the same for every run
    owners = np.tile(np.repeat(np.arange(chains, dtype=np.int16), draws), (AT_ONCE, 1))
    place = np.arange(len(below))
    smallest = []
    for _ in range(SIMULATIONS // AT_ONCE):
        order = rng.permuted(owners, axis=1)
        rarest = np.ones(AT_ONCE)
        for chain in range(chains):
            found = np.cumsum(order == chain, axis=1, dtype=np.int32)[:, below - 1]
            lower = cdf[place, found]
            upper = 1.0 - np.where(found > 0, cdf[place, found - 1], 0.0)
            rarest = np.minimum(rarest, np.minimum(lower, upper).min(axis=1))
        smallest.append(rarest)
    tail = float(np.quantile(smallest, 1.0 - prob))
    # The least count that is not so rare, and the greatest.
    low = (cdf < tail).sum(axis=1)
    high = draws - (1.0 - cdf[:, :-1] < tail)[:, ::-1].cumprod(axis=1).sum(axis=1)
    share = np.arange(draws + 1) / draws
    least, most = (np.concatenate([[0], each, [draws]]) / draws for each in (low, high))
    return share, least, most


def _hypergeometric(draws: int, chains: int, below: Numbers) -> Numbers:
    """Probability that at most so many of a chain's draws are among the smallest of all.

    Returns
    -------
    ndarray
        Dims (below, count), counts from 0 to `draws`.
    """
    total = chains * draws
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1.0, total + 1.0)))])

    def log_choices(of: Numbers, chosen: Numbers) -> Numbers:
        found = log_factorial[of] - log_factorial[chosen] - log_factorial[of - chosen]
        return np.asarray(found)

    count, among = np.meshgrid(np.arange(draws + 1), below)
    others, rest = total - draws, among - count
    possible = (rest >= 0) & (rest <= others)
    rest = np.clip(rest, 0, others)
    log_share = (
        log_choices(np.full_like(count, draws), count)
        + log_choices(np.full_like(count, others), rest)
        - log_choices(np.full_like(count, total), among)
    )
    sums = np.cumsum(np.where(possible, np.exp(log_share), 0.0), axis=1)
    return np.asarray(np.minimum(sums, 1.0))
