"""Pooled lanes against NUTS, and their ranks on data sets drawn from the model.

Random tests state their false-alarm budget, 1e-6 a test; seeds are fixed.
"""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

import effbayes as eb
from effbayes import runtime
from effbayes.inference.lanes import Lanes, LaneSettings, members_of, quantities
from effbayes.models import hierarchical
from effbayes.replicates.ecdf_band import ecdf_band
from effbayes.replicates.posteriors import METHODS, Posteriors, Where, importance_for

FALSE_ALARMS = 1e-6
PROBS = (0.025, 0.5, 0.975)
POST = ("imagenet", "translation", "go", "dota2")
KEPT = 99


def post(*, bounds):
    series = [one for name in POST for one in eb.load_domain(name).values()]
    return series if bounds else [one.without_bounds() for one in series]


def draws_of(run, series):
    """Draws of all quantities of a pooled run in the order of the lanes."""
    found = [run.population[name] for name in hierarchical.Hierarchical().reported]
    for one in series:
        found += [run.members[one.id].draws[name] for name in ("rate", "alpha", "sigma")]
    return found


@pytest.mark.parametrize(
    "series",
    [
        pytest.param(post(bounds=False)[:3], id="three"),
        # Programs with bounds of eight series take a minute to compile.
        pytest.param(post(bounds=True), id="eight", marks=pytest.mark.slow),
    ],
)
def test_pooled_lanes_have_the_quantiles_of_nuts(series, tell):
    """Every quantity, on the scale of probability below."""
    many = eb.sample_many_pooled([series] * 4, seed=3, platform="cpu")
    assert many.ok.all(), many.reasons()
    assert "NUTS" not in many.method
    run = eb.sample_pooled(series, seed=4, draws=4000)
    assert str(run.verdict) == "ok"
    z = []
    for i, draws in enumerate(draws_of(run, series)):
        for j, prob in enumerate(PROBS):
            size = array_stats.ess(draws, chain_axis=0, draw_axis=1, method="quantile", prob=prob)
            spread = np.sqrt(prob * (1.0 - prob) * (1.0 / size + 1.0 / many.ess))
            below = [np.mean(draws < value) for value in many.quantile[:, i, j]]
            z += list((np.array(below) - prob) / spread)
    tell(z)
    limit = stats.norm.isf(0.5 * FALSE_ALARMS / len(z))
    assert np.abs(z).max() < limit


def ranked(series, sets, seed):
    number = len(series)
    model = hierarchical.make_model(series, hierarchical.Priors(), robust=False)
    data = hierarchical.data_from_many(series)
    settings = LaneSettings(importance_for(model, number), probs=PROBS, simulated=True, kept=KEPT)
    job = Posteriors(model, settings, Lanes(data), sets, runtime.key_bits(seed), Where("cpu"))
    found = job.run()
    names = (*quantities(model, members_of(model, data)), "log_joint")
    assert found["rank"].shape == (sets, len(names))
    return found, names


@pytest.mark.parametrize(
    ("number", "sets"),
    [(2, 256), pytest.param(8, 1000, marks=pytest.mark.slow)],
    ids=["two", "eight"],
)
def test_ranks_of_the_truth_are_uniform(number, sets):
    """Every data set counts, however it was fitted; the budget is shared by the quantities."""
    found, names = ranked(post(bounds=False)[:number], sets, seed=5)
    assert found["ok"].mean() > 0.99
    assert np.mean(found["method"] == METHODS.index("weighted draws")) > 0.9
    band = ecdf_band(sets, KEPT + 1, FALSE_ALARMS / len(names))
    excursions = {
        name: band.excursions(column) for name, column in zip(names, found["rank"].T, strict=True)
    }
    assert excursions == {name: [] for name in names}
