"""The package's posterior of the log-linear model against numerical integration.

Two checks, from exact to random:

* the log joint density at scattered points, deterministic, to rounding;
* quantiles of NUTS draws, within 3 Monte Carlo standard errors (MCSE) of the integral's.

Seeds are fixed, so on one machine a run gives the same draws, and the same verdict, every time; but
any change to the sampler is a new seed, and one comparison in 370 misses by chance. A quantile that
misses is therefore looked at again with another seed and four times the draws, where it may be
`CONFIRMED` = 4.1 MCSE off: as far as 2.05 of the first run's, so a stricter demand. Both miss by
chance with probability 1e-6 a test, nine quantiles taken together: the false-alarm budget.

The standard error of a quantile is ArviZ's: the effective sample size of the indicator of lying
below it, carried to the quantile by the beta distribution of order statistics (Vehtari et al. 2021,
section 4.3). Every comparison must have `ENOUGH` of those, so that the tolerance is a narrow one:
3 MCSE of the median are then at most 0.09 posterior sd. The integral changes by less than
`INTEGRAL_SHARE` of a first run's MCSE when it loses every other node, and so errs by far less.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from quadrature import Model, Posterior, Table, closed_form_rate, posterior
from scipy import stats

import effbayes as eb
from effbayes.models.contract import data_from_series
from effbayes.models.loglinear import Priors, make_model
from effbayes.runtime import on_device

TRAINING = Path(__file__).parents[2] / "data" / "imagenet--alexnet-training.csv"
PROBS = (0.025, 0.5, 0.975)
NAMES = ("rate", "alpha", "sigma")
FALSE_ALARMS = 1e-6
STANDARD_ERRORS = 3.0
CONFIRMED = float(
    stats.norm.isf(
        0.5 * FALSE_ALARMS / (len(NAMES) * len(PROBS) * 2.0 * stats.norm.sf(STANDARD_ERRORS))
    )
)
ENOUGH = 2_000
INTEGRAL_SHARE = 0.3
RUN = {"warmup": 1000, "draws": 4000, "chains": 4}
NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Case:
    """A table, as the package and as the reference read it, and how it is fitted.

    `columns` None is the shipped AlexNet table, of which `rows` are used, with or without `bounds`.
    """

    columns: dict[str, list[Any]] | None = None
    rows: str = "all"
    bounds: bool = False
    direction: str = "falling"
    prior: str = "default"
    robust: bool = False
    nodes: dict[str, int] = field(default_factory=dict)

    def series(self) -> eb.Series:
        """The table as the package reads it."""
        if self.columns is not None:
            return eb.read_series(pd.DataFrame(self.columns), direction=self.direction)
        series = eb.load_domain("imagenet")["alexnet-training"].where(self.rows)
        return series if self.bounds else series.without_bounds()

    def table(self) -> Table:
        """The table as the reference reads it."""
        if self.columns is None:
            return Table.from_csv(TRAINING, rows=self.rows, bounds=self.bounds)
        columns = dict(self.columns)
        return Table.from_columns(columns.pop("date"), direction=self.direction, **columns)


DATES = ["2012-06-01", "2014-03-10", "2015-07-21", "2017-01-05", "2018-11-30", "2019-05-28"]
ERRORS = {
    "date": DATES,
    "value": [100.0, 41.0, 30.0, 5.5, 4.2, 1.3],
    "value_sd": [0.0, 0.6, 0.2, 1.1, 0.0, 0.4],
    "date_sd_days": [90.0, 0.0, 365.0, 15.0, 0.0, 200.0],
}
ONE_SIDED = {
    "date": DATES,
    "value": [100.0, NAN, 30.0, NAN, 4.2, 1.3],
    "value_low": [NAN, 20.0, NAN, NAN, NAN, NAN],
    "value_high": [NAN, NAN, NAN, 9.0, NAN, NAN],
}
RISING = {"date": DATES, "value": [1.0, 2.2, 2.9, 11.0, 19.0, 60.0]}
TWO_POINTS = {"date": ["2018-08-05", "2019-04-13"], "value": [1.0, 0.2]}
FOUR_BOUNDED = {
    "date": DATES[:4],
    "value": [100.0, 41.0, 21.0, 6.0],
    "value_low": [90.0, NAN, 14.0, NAN],
    "value_high": [100.0, NAN, 21.0, NAN],
}

COARSER = {"n_sigma": 121, "n_inner": 121}

CASES = {
    "frontier-default": Case(rows="frontier"),
    "frontier-signed": Case(rows="frontier", prior="signed"),
    "frontier-reference": Case(rows="frontier", prior="reference"),
    "frontier-bounds": Case(rows="frontier", bounds=True, nodes=COARSER),
    "frontier-bounds-signed": Case(rows="frontier", bounds=True, prior="signed", nodes=COARSER),
    "all-default": Case(),
    "all-bounds": Case(bounds=True, nodes=COARSER),
    "errors": Case(ERRORS, nodes={"n_sigma": 321}),
    "errors-signed": Case(ERRORS, prior="signed", nodes={"n_sigma": 321}),
    "rising": Case(RISING, direction="rising"),
    "one-sided": Case(ONE_SIDED),
    "two-points": Case(TWO_POINTS, nodes={"n_sigma": 321}),
    "two-points-signed": Case(TWO_POINTS, prior="signed", nodes={"n_sigma": 321}),
    "frontier-robust": Case(rows="frontier", robust=True),
}
SLOW = {
    "bounds-robust": Case(
        FOUR_BOUNDED, robust=True, nodes={"n_sigma": 161, "n_inner": 61, "n_nu": 25}
    ),
    "errors-robust": Case(ERRORS, robust=True, nodes={"n_sigma": 161, "n_inner": 151}),
    "all-robust": Case(robust=True),
}
EVERY = [
    *(pytest.param(case, id=name) for name, case in CASES.items()),
    *(pytest.param(case, id=name, marks=pytest.mark.slow) for name, case in SLOW.items()),
]


@cache
def integral(case: Case) -> Posterior:
    return posterior(case.table(), case.prior, robust=case.robust, **case.nodes)


def standard_error(draws: np.ndarray, prob: float) -> float:
    """MCSE of a quantile; draws have dims (chain, draw)."""
    error = array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="quantile", prob=prob)
    return float(error)


def effective_size(draws: np.ndarray, prob: float) -> float:
    """Effective number of draws for a quantile."""
    size = array_stats.ess(draws, chain_axis=0, draw_axis=1, method="quantile", prob=prob)
    return float(size)


def distances(case: Case, *, seed: int, draws: int) -> dict[tuple[str, float], float]:
    """How many MCSE each quantile of a run is off the integral's."""
    fit = eb.sample(
        case.series(), prior=case.prior, robust=case.robust, seed=seed, **{**RUN, "draws": draws}
    )
    assert str(fit.verdict) == "ok"
    known = integral(case)
    found = {}
    for name in NAMES:
        for prob in PROBS:
            values, expected = fit.draws[name], known.quantile(name, prob)
            mcse = standard_error(values, prob)
            assert effective_size(values, prob) > ENOUGH
            assert expected.error < INTEGRAL_SHARE * mcse * (draws / RUN["draws"]) ** 0.5
            found[name, prob] = (float(np.quantile(values, prob)) - expected.value) / mcse
    return found


@pytest.mark.parametrize("case", EVERY)
def test_nuts_quantiles_match_the_integral(case, tell):
    first = distances(case, seed=2020, draws=RUN["draws"])
    tell(list(first.values()))
    missed = [each for each, z in first.items() if abs(z) > STANDARD_ERRORS]
    again = distances(case, seed=2021, draws=4 * RUN["draws"]) if missed else {}
    assert {each: again[each] for each in missed if abs(again[each]) > CONFIRMED} == {}


def test_reported_doubling_time_is_the_integrals():
    """False-alarm budget 1e-6 over three comparisons."""
    case = CASES["frontier-default"]
    fit = eb.sample(case.series(), seed=2022, **RUN)
    shown = fit.doubling_time(unit="months", ci=0.95)
    known = integral(case)
    z_most = stats.norm.isf(FALSE_ALARMS / len(PROBS) / 2.0)
    for found, prob in zip((shown.low, shown.median, shown.high), PROBS, strict=True):
        mcse = standard_error(12.0 / fit.draws["rate"], prob)
        assert abs(found - known.quantile("doubling_time", prob).value) < z_most * mcse


@pytest.mark.parametrize("case", EVERY)
def test_log_joint_is_the_references_up_to_the_change_of_variables(case):
    """Densities in (12/r or r, sigma, nu) against those in (log(12/r) or r, log sigma, log nu)."""
    series, table = case.series(), case.table()
    ours = Model(table, case.prior, case.robust, alpha_in_closed_form=False)
    model = make_model(series, Priors(kind=case.prior), robust=case.robust)
    data = data_from_series(series)
    rng = np.random.default_rng(7)
    flat = case.prior == "reference"
    found, expected = [], []
    for _ in range(40):
        alpha = table.y.mean() + rng.normal(0.0, 4.0)
        rate = rng.lognormal(0.0, 1.0) * (1.0 if case.prior == "default" else rng.choice([-1, 1]))
        sigma, nu = rng.lognormal(-1.0, 1.0), rng.lognormal(1.5, 1.5)
        values = {"alpha": alpha, "rate": rate, "sigma": sigma}
        x, log_jacobian = rate, np.log(sigma)
        if case.prior == "default":
            values["doubling_time"] = 12.0 / rate
            x, log_jacobian = np.log(12.0 / rate), log_jacobian + np.log(12.0 / rate)
        if case.robust:
            values["nu"] = nu
            log_jacobian += np.log(nu)
        with on_device("cpu"):
            data = jax.tree.map(jax.numpy.asarray, data)
            values = {name: jax.numpy.asarray(value) for name, value in values.items()}
            likelihood = np.asarray(model.log_likelihood(values, data))
            total = float(model.log_prior(values, data)) + likelihood.sum()
        found.append(total + log_jacobian)
        axes = [np.array([x]), np.array([alpha]), np.array([np.log(nu)])]
        density = ours.log_density(float(np.log(sigma)), axes[: len(ours.axes)])
        # The reference's alpha is normal whatever the prior says when it is not integrated out.
        improper = stats.norm.logpdf(alpha, table.y.mean(), 10.0) if flat else 0.0
        expected.append(density.item() - improper)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_reference_prior_matches_the_closed_form_on_random_tables():
    """20 tables of six to eight exact rows; r is Student's t with n - 2 degrees of freedom.

    False-alarm budget 1e-6 in all, shared by 60 comparisons: 5.9 MCSE each.
    """
    rng = np.random.default_rng(20)
    tables = 20
    z_most = stats.norm.isf(FALSE_ALARMS / (tables * len(PROBS)) / 2.0)
    misses = []
    for k in range(tables):
        n = int(rng.integers(6, 9))
        days = np.sort(rng.choice(3000, n, replace=False))
        dates = [str(np.datetime64("2012-01-01") + day) for day in days]
        rate, sigma = rng.normal(0.0, 1.0), rng.lognormal(-1.0, 1.0)
        y = rng.normal(0.0, 5.0) - rate * days / 365.25 + sigma * rng.normal(size=n)
        columns = {"date": dates, "value": [float(value) for value in 2.0**y]}
        exact = closed_form_rate(Case(columns).table())
        fit = eb.sample(
            Case(columns).series(), prior="reference", **{**RUN, "draws": 2000, "seed": k}
        )
        draws = fit.draws["rate"]
        for prob in PROBS:
            assert effective_size(draws, prob) > 0.5 * ENOUGH
            difference = float(np.quantile(draws, prob)) - float(exact.quantile(prob))
            z = difference / standard_error(draws, prob)
            if abs(z) > z_most:
                misses.append(f"table {k}, quantile {prob}: off by {z:+.1f} MCSE")
    assert not misses, "\n".join(misses)
