r"""Simulation-based calibration of the hierarchical model (Talts et al. 2018, arXiv:1804.06788).

Populations, members and data are drawn together from the model, each data set is fitted by NUTS,
and the rank of each true value among thinned draws is uniform if draws come from the posterior.
Ranked are the population (mu, tau, s), the rate of the series of two rows, the noise of that of
three, the doubling time of a domain not yet seen, and the joint log density, which sees the data
(Modrak et al. 2023, doi:10.1214/23-BA1404).

Levels have a prior centred on the mean of the data that are fitted; here that centre is put to
zero, in the simulation and in the fit, so that the prior is proper and fixed.

False-alarm budget: 1e-6, shared by the ranked quantities. Seeds are fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from scipy import stats

import effbayes as eb
from effbayes import runtime
from effbayes.inference.nuts import SamplerSettings, run_nuts
from effbayes.models.hierarchical import Hierarchical, data_from_many
from effbayes.replicates.ecdf_band import ecdf_band

SETS = 200
KEPT = 49
FALSE_ALARMS = 1e-6
SIZES = (2, 3, 6, 8)
YEARS = (1.5, 2.0, 7.0, 4.0)
KNOWN_SD = (0.0, 0.0, 0.3, 0.0)
"""Measurement error of the rows of each series, in doublings."""
MEMBERS = ("rate", "sigma", "alpha")
RANKED = ("mu", "tau", "s", "rate of two", "sigma of three", "doubling_time_new", "log_joint")
LEAST_SIZE = 2 * KEPT


@dataclass(frozen=True, eq=False)
class World:
    """A population, its members (dims (series,)) and the log2 values of each."""

    values: dict[str, np.ndarray]
    y: list[np.ndarray]


def dates(number: int) -> np.ndarray:
    days = np.round(np.linspace(0.0, 365.25 * YEARS[number], SIZES[number]))
    return np.datetime64("2012-01-01") + days.astype(int)


def years(number: int) -> np.ndarray:
    days = dates(number).astype(float)
    return (days - days.mean()) / 365.25


def draw_world(rng: np.random.Generator) -> World:
    mu, tau, s = np.log(18.0) + 1.2 * rng.normal(), abs(rng.normal()), abs(rng.normal())
    number = len(SIZES)
    values = {
        "mu": mu,
        "tau": tau,
        "s": s,
        "rate": 12.0 / np.exp(rng.normal(mu, tau, number)),
        "sigma": s * np.exp(0.5 * rng.normal(size=number)),
        "alpha": 10.0 * rng.normal(size=number),
        "doubling_time_new": np.exp(rng.normal(mu, tau)),
    }
    y = []
    for d in range(number):
        sd = np.hypot(values["sigma"][d], KNOWN_SD[d])
        trend = values["alpha"][d] - values["rate"][d] * years(d)
        y.append(trend + sd * rng.normal(size=SIZES[d]))
    return World(values, y)


def as_series(world: World) -> list[eb.Series]:
    made = []
    for d, y in enumerate(world.y):
        columns = {"date": dates(d).astype(str), "value": 2.0**y, "value_sd": KNOWN_SD[d]}
        made.append(eb.read_series(pd.DataFrame(columns)))
    return made


def log_joint(world: World, values: dict[str, np.ndarray]) -> np.ndarray:
    """Log density of (mu, tau, s, T, sigma, alpha, y) in NumPy; dims as mu's."""
    mu, tau, s = (np.asarray(values[name])[..., None] for name in ("mu", "tau", "s"))
    total = stats.norm.logpdf(mu, np.log(18.0), 1.2)
    total = (total + stats.halfnorm.logpdf(tau) + stats.halfnorm.logpdf(s))[..., 0]
    months, sigma = 12.0 / values["rate"], values["sigma"]
    total = total + (stats.norm.logpdf(np.log(months), mu, tau) - np.log(months)).sum(-1)
    total = total + (stats.norm.logpdf(np.log(sigma), np.log(s), 0.5) - np.log(sigma)).sum(-1)
    total = total + stats.norm.logpdf(values["alpha"], 0.0, 10.0).sum(-1)
    for d, y in enumerate(world.y):
        trend = values["alpha"][..., d, None] - values["rate"][..., d, None] * years(d)
        sd = np.hypot(sigma[..., d, None], KNOWN_SD[d])
        total = total + stats.norm.logpdf(y, trend, sd).sum(-1)
    return np.asarray(total)


def quantities(world: World, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    named = {name: values[name] for name in ("mu", "tau", "s", "doubling_time_new")}
    named["rate of two"] = values["rate"][..., 0]
    named["sigma of three"] = values["sigma"][..., 1]
    named["log_joint"] = log_joint(world, values)
    return named


def size(draws: np.ndarray) -> float:
    return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk"))


@pytest.mark.slow
def test_ranks_of_the_truth_are_uniform():
    rng = np.random.default_rng(20120601)
    ranks: dict[str, list[int]] = {name: [] for name in RANKED}
    sizes, diverging_sets = [], 0
    for k in range(SETS):
        world = draw_world(rng)
        data = data_from_many(as_series(world))
        data = data._replace(y_mean=np.zeros(len(SIZES)))
        with runtime.on_device("cpu") as device:
            root = runtime.key_bits(k)
            settings, plan = SamplerSettings(), runtime.plan(device)
            found = run_nuts(Hierarchical(), data, root, settings, plan=plan)
        drawn = quantities(world, found.values)
        sizes.append(min(size(drawn[name]) for name in RANKED))
        diverging_sets += bool(found.stats["diverging"].any())
        true = quantities(world, {name: np.asarray(x) for name, x in world.values.items()})
        # Evenly thinned, chains end to end: neighbours are 80 steps apart.
        pick = np.linspace(0, drawn["mu"].size - 1, KEPT).astype(int)
        for name in RANKED:
            ranks[name].append(int((drawn[name].ravel()[pick] < true[name]).sum()))
    # Every data set counts, whatever its verdict: leaving out bad fits would bias the ranks.
    assert np.quantile(sizes, 0.01) > LEAST_SIZE, "thinned draws are not near-independent"
    assert diverging_sets <= 0.01 * SETS
    band = ecdf_band(SETS, KEPT + 1, FALSE_ALARMS / len(RANKED))
    excursions = {name: band.excursions(ranks[name]) for name in RANKED}
    assert excursions == {name: [] for name in RANKED}
