"""Exact leave-one-out against a closed form, and stacking weights against ArviZ's optimizer.

Under the reference prior with exact rows the density of a row given the others is Student's t with
n - 3 degrees of freedom: the predictive distribution of ordinary least squares.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from arviz_stats import compare as arviz_compare
from arviz_stats.utils import ELPDDataLOO
from scipy import stats

import effbayes as eb
from effbayes import comparison

FALSE_ALARM = 1e-6
"""Of a comparison with a Monte Carlo error, were seeds not fixed."""


def predictive_density(series: eb.Series, row: int) -> float:
    """Log density of one row given the others, by least squares."""
    used = series.used
    days = series.date[used].astype("datetime64[D]").astype(float)
    t, y = (days - days.mean()) / 365.25, np.log2(series.value[used])
    kept = np.arange(len(t)) != row
    design = np.stack([np.ones(kept.sum()), t[kept]], axis=1)
    coefficients, *_ = np.linalg.lstsq(design, y[kept], rcond=None)
    free = kept.sum() - 2
    variance = np.sum((y[kept] - design @ coefficients) ** 2) / free
    new = np.array([1.0, t[row]])
    spread = np.sqrt(variance * (1.0 + new @ np.linalg.inv(design.T @ design) @ new))
    return float(stats.t(free, new @ coefficients, spread).logpdf(y[row]))


@pytest.fixture(scope="module")
def found():
    series = eb.load_series("imagenet", "alexnet-training").without_bounds()
    fits = [
        eb.sample(series, prior="reference", warmup=500, draws=2000),
        eb.sample(series, warmup=500, draws=2000),
    ]
    return comparison.compare(fits)


def test_elpd_of_each_row(found):
    [score] = [one for one in found.scores if one.name == "loglinear (reference)"]
    n = score.fit.series.n_obs
    expected = np.array([predictive_density(score.fit.series, row) for row in range(n)])
    limit = stats.norm.isf(FALSE_ALARM / 2 / n)
    assert np.all(np.abs(score.elpd - expected) < limit * score.mcse), (
        score.elpd - expected
    ) / score.mcse
    assert score.mcse.max() < 0.05
    assert score.failed == ()


def test_psis_is_near_where_its_k_is_small(found):
    for score in found.scores:
        good = score.pareto_k < 0.5
        assert good.any()
        np.testing.assert_allclose(score.psis[good], score.elpd[good], atol=0.15)


def test_summary_of_a_comparison(found):
    summary = found.summary()
    assert found.ok
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert summary["models"][0]["elpd_difference"] == 0.0
    assert summary["models"][1]["elpd_difference"] < 0.0
    lows = [row["doubling_time_months"]["low"] for row in summary["models"]]
    averaged = summary["averaged"]["doubling_time_months"]["low"]
    assert 0.999 * min(lows) <= averaged <= 1.001 * max(lows)
    assert summary["sentence"].startswith("The choice of a model hardly matters: medians from 15")


def elpd_data(each: np.ndarray) -> ELPDDataLOO:
    n = len(each)
    return ELPDDataLOO(
        elpd=each.sum(), se=np.sqrt(n * each.var()), p=1.0, n_samples=4000,
        n_data_points=n, scale="log", warning=False, good_k=0.7,
        elpd_i=xr.DataArray(each, dims="obs"), pareto_k=xr.DataArray(np.zeros(n), dims="obs"),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_stacking_weights_score_no_less_than_arviz(seed):
    """The score is flat near its top: weights may differ by 1e-3, the score may not be lower."""
    rng = np.random.default_rng(seed)
    elpd = rng.normal(-1.0, 0.8, (12, 3)) + np.array([0.0, 0.1, -0.3])
    ours = comparison.stacking_weights(elpd)
    table = arviz_compare(
        {str(i): elpd_data(elpd[:, i]) for i in range(3)}, method="stacking", round_to="none"
    )
    theirs = table["weight"].to_numpy()[np.argsort(table.index.to_numpy())].astype(float)
    score = lambda w: np.sum(np.log(np.exp(elpd) @ w))  # noqa: E731
    assert ours.sum() == pytest.approx(1.0)
    assert score(ours) >= score(theirs) - 1e-9
    np.testing.assert_allclose(ours, theirs, atol=5e-3)
