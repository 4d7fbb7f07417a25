"""Calibration, bootstrap, leave-one-out and sensitivity, each against what it must agree with."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp
from scipy import stats

import effbayes as eb
from effbayes import runtime
from effbayes.inference import lanes
from effbayes.inference.lanes import LOG_JOINT
from effbayes.models import catalogue
from effbayes.models.broken_line import changes, log_marginal
from effbayes.models.contract import data_from_series
from effbayes.models.loglinear import Priors
from effbayes.replicates import resampling
from effbayes.replicates.calibration import KEPT, calibrate
from effbayes.replicates.leaving_out import leave_one_out
from effbayes.replicates.resampling import bootstrap
from effbayes.replicates.sensitivity import Refit, Sensitivity, _alternatives, sensitivity
from tests.unit.conftest import make_series


@pytest.fixture(scope="module")
def series():
    return eb.load_series("imagenet", "alexnet-training").without_bounds()


@pytest.fixture(scope="module")
def calibrated(series):
    told = []
    found = calibrate(series, sets=400, seed=5, progress=lambda *done: told.append(done))
    assert told[-1] == (400, 400)
    return found


def test_a_right_sampler_is_calibrated(calibrated):
    """False-alarm budget: the band's own, 0.01, at a fixed seed."""
    assert calibrated.ok
    assert calibrated.verdict == "calibrated"
    assert calibrated.quantities == ("rate", "alpha", "sigma", LOG_JOINT)
    assert calibrated.ranks.shape == (400, 4)
    assert calibrated.ranks.min() >= 0
    assert calibrated.ranks.max() <= KEPT
    assert calibrated.certified.all()


@pytest.mark.parametrize("name", ["rate", "alpha", "sigma"])
def test_intervals_cover_as_often_as_they_say(calibrated, name):
    """False-alarm budget 1e-6 for each of nine shares, binomial."""
    for prob in (0.5, 0.8, 0.95):
        share, low, high = calibrated.coverage(name, prob)
        assert low <= share <= high
        assert stats.binomtest(round(400 * share), 400, prob).pvalue > 1e-6


def test_the_same_seed_gives_the_same_ranks_in_any_chunks(calibrated, series, monkeypatch):
    monkeypatch.setattr("effbayes.replicates.posteriors.CHUNK", 96)
    again = calibrate(series, sets=400, seed=5)
    np.testing.assert_array_equal(again.ranks, calibrated.ranks)


def test_a_wrong_sampler_is_found_out(series, monkeypatch):
    """Truths are drawn with half as much noise as the model fitted believes in."""
    right = lanes._simulated

    def wrong(model, key, data):
        return right(lanes.with_priors(model, {"sigma_scale": 0.4}, checked=False), key, data)

    monkeypatch.setattr(lanes, "_simulated", wrong)
    lanes._program.cache_clear()
    found = calibrate(series, sets=400, seed=5)
    lanes._program.cache_clear()
    assert "sigma" in found.verdict
    assert not found.ok
    assert found.excursions("sigma")
    assert found.summary()["verdict"].startswith("not calibrated")


def test_what_cannot_be_calibrated(series):
    with pytest.raises(eb.UsageError, match="improper"):
        calibrate(series, prior="reference")
    with pytest.raises(eb.UsageError, match="at least 20"):
        calibrate(series, sets=3)
    with pytest.raises(eb.UsageError, match="false alarm"):
        calibrate(series, false_alarm=0.0)


def test_least_squares_of_resampled_rows_are_numpys(series):
    data = data_from_series(series)
    model = catalogue.make_model("loglinear", series, "default")
    rows, _ = resampling._draw_rows(series, model, 50, np.random.default_rng(1))
    drawn, rates = resampling._tables(data, rows)
    days = series.date[series.used].astype(float)
    log2 = np.log2(series.value[series.used])
    for one, rate in zip(rows, rates, strict=True):
        slope = np.polyfit(days[one] / 365.25, log2[one], 1)[0]
        assert rate == pytest.approx(-slope, rel=1e-9)
        assert len(set(one)) >= 3
    np.testing.assert_allclose(drawn.y[:, :6], log2[rows])
    assert np.all(drawn.mask == data.mask)


def test_bootstrap_beside_the_posterior(series):
    found = bootstrap(series, tables=300, seed=2)
    fit = eb.sample(series, seed=1)
    times = found.doubling_time()
    assert times["posterior"].median == pytest.approx(fit.doubling_time().median, rel=0.03)
    # An independent bootstrap of least squares in NumPy, ten times as long.
    rng = np.random.default_rng(8)
    days = series.date[series.used].astype(float) / 365.25
    log2 = np.log2(series.value[series.used])
    rates = []
    while len(rates) < 3000:
        row = rng.integers(6, size=6)
        if len(set(row)) >= 3:
            rates.append(-np.polyfit(days[row], log2[row], 1)[0])
    expected = 12.0 / np.quantile(rates, [0.975, 0.5, 0.025])
    least = times["bootstrap of least squares"]
    # Standard errors of the quantiles of 300 are about 2 %; five of them.
    np.testing.assert_allclose([least.low, least.median, least.high], expected, rtol=0.1)
    document = found.summary()
    assert document["tables"] == 300
    assert document["not_certified"] == int((~found.certified).sum())


def test_what_cannot_be_resampled(series):
    with pytest.raises(eb.UsageError, match="no records"):
        bootstrap(series, "records")
    with pytest.raises(eb.UsageError, match="at least 100"):
        bootstrap(series, tables=10)
    with pytest.raises(eb.DataError, match="needs 3"):
        bootstrap(eb.load_series("imagenet", "resnet50-training"))
    with pytest.raises(eb.DataError, match="6 rows are exact.* drawn twice"):
        bootstrap(series, "drift")
    for refit in (bootstrap, sensitivity):
        for seed in (-1, 1.5):
            with pytest.raises(eb.UsageError, match="must be an integer from 0"):
                refit(series, seed=seed)
        with pytest.raises(eb.UsageError, match="between 0 and 1"):
            refit(series, ci=95)


class StoppedError(Exception):
    """Instead of fits."""


@pytest.fixture
def job_of(monkeypatch):
    """The job of a bootstrap, which is not run."""
    jobs = []

    def run(job, **_):
        jobs.append(job)
        raise StoppedError

    monkeypatch.setattr(resampling.Posteriors, "run", run)

    def of(*arguments, **options):
        with pytest.raises(StoppedError):
            bootstrap(*arguments, **options)
        return jobs.pop()

    return of


@pytest.mark.parametrize("where", ["frontier", "all"])
def test_a_changepoint_is_summed_over_the_dates_of_the_drawn_table(job_of, where):
    """Against the likelihood given the date of the change, at every cell."""
    table = eb.load_series("imagenet", "alexnet-training", where=where)
    job = job_of(table, "changepoint", tables=100)
    number = job.model.cells.number

    def both(data):
        values = {"rate_before": 0.7, "rate_after": 1.1, "sigma": 0.6}
        values = {name: jnp.asarray(x) for name, x in values.items()} | {"alpha": data.y_mean}
        each = jax.vmap(
            lambda c: job.model.log_likelihood(values | {"changepoint": c}, data).sum()
        )(changes(data, number))
        return log_marginal(values, data, job.model.cells), logsumexp(each) - jnp.log(number)

    with runtime.on_device("cpu"):
        found, expected = jax.jit(jax.vmap(both))(job.own.data)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("model", ["loglinear", "frontier", "changepoint"])
def test_every_table_that_is_drawn_has_a_posterior(job_of, series, model):
    """Checked as a table that a user brings is."""
    job = job_of(series, model, tables=200)
    used = np.flatnonzero(catalogue.with_rows(model, series).used)
    origin = np.asarray(data_from_series(catalogue.with_rows(model, series)).t)
    for t in job.own.data.t[:-1]:
        places = used[[int(np.flatnonzero(origin == each)[0]) for each in t[: len(used)]]]
        drawn = make_series(series.date[places], series.value[places])
        catalogue.make_model(model, drawn, "default").check(drawn)


def test_a_table_of_which_no_draw_has_a_posterior(monkeypatch):
    """Four dates are what a broken line needs, and all of four are seldom drawn."""
    few = make_series(np.datetime64("2015-01-01") + 300 * np.arange(4), [9.0, 5.0, 3.0, 2.9])
    assert catalogue.make_model("changepoint", few, "default")
    monkeypatch.setattr(resampling, "MOST_REDRAWN", 2)
    with pytest.raises(eb.DataError, match="next to no table of drawn rows has a posterior"):
        bootstrap(few, "changepoint")


def test_each_row_is_predicted_by_the_others(series):
    """Against NUTS on the other rows alone, whose density is averaged here in NumPy."""
    model = catalogue.make_model("loglinear", series, "default")
    found = leave_one_out(model, series, seed=3)
    assert found.ok.all()
    t = np.asarray(data_from_series(series).t)[:6]
    y = np.log2(series.value[series.used])
    places = np.flatnonzero(series.used)
    for i, place in enumerate(places):
        others = series.used.copy()
        others[place] = False
        # alpha's prior is centred elsewhere then: of no account beside its standard deviation.
        fit = eb.sample(series.select(others, "all but one"), seed=4)
        shift = t[np.arange(6) != i].mean()
        mean = fit.draws["alpha"] - fit.draws["rate"] * (t[i] - shift)
        density = stats.norm.pdf(y[i], mean, fit.draws["sigma"])
        # Budget: 5 % is five standard errors of either.
        assert np.exp(found.elpd[i]) == pytest.approx(density.mean(), rel=0.12)
        assert found.mcse[i] < 0.06


@pytest.fixture(scope="module")
def moved(series):
    with pytest.MonkeyPatch.context() as patch:
        # Every other model compiles for as long; all of them are in the slow test.
        patch.setattr(catalogue, "MODELS", ("loglinear", "frontier"))
        return sensitivity(series, seed=1)


@pytest.mark.slow
def test_every_model_is_set_beside(series):
    found = sensitivity(series, "frontier", where="all")
    made = {each.choice for each in found.refits} | set(found.left_out)
    words = dict.fromkeys(catalogue.MODELS, "") | {"records": " (the records alone)"}
    assert {f"the {name} model{of}" for name, of in words.items() if name != "frontier"} <= made


@pytest.mark.parametrize(
    ("model", "where", "expected"),
    [
        ("loglinear", "all", {"the frontier model": None, "the drift model": "all",
                              "the records model (the records alone)": None}),
        ("loglinear", None, {"the frontier model (all rows)": None, "the records model": None,
                             "the changepoint model": None}),
        ("frontier", None, {"the loglinear model (the records alone)": None}),
    ],
)  # fmt: skip
def test_another_model_has_the_same_rows_or_says_which(series, model, where, expected):
    found = {
        choice: options["where"]
        for kind, choice, _, options in _alternatives(series, model, "default", where)
        if kind == "model"
    }
    assert expected.items() <= found.items()


def test_one_record_alone_is_left_out():
    """A choice that the table does not allow ends nothing."""
    table = make_series(["2015-01-01", "2016-01-01", "2017-01-01"], [8.0, 9.0, 9.5])
    table = replace(table, frontier=np.array([True, False, False]))
    found = [choice for _, choice, _, _ in _alternatives(table, "loglinear", "default", None)]
    assert "the records alone" in found
    assert "the records model" in found


@pytest.mark.parametrize(
    ("base", "refits", "said"),
    [
        (16.0, {"a": 20.0, "b": 12.0, "c": None}, "16 months becomes 12 (-25 %) with b; no other "
         "choice moves it more; under c there may be none."),
        (16.0, {"a": None}, "16 months is that of this choice alone"),
        (None, {"a": 20.0, "b": 12.0, "c": 15.0},
         "under 3 other choices it is from 12 months with b to 20 months with a."),
        (None, {"a": None, "b": 12.0}, "under one other choice it is 12 months with b."),
        (None, {"a": None}, "progress is not certain under any choice."),
    ],
)  # fmt: skip
def test_the_sentence_of_what_moves(series, base, refits, said):
    made = [Refit("prior", name, (None, m, None), ok=True) for name, m in refits.items()]
    first = Refit("prior", "as fitted", (None, base, None), ok=True)
    found = Sensitivity(series, "loglinear", "default", first, tuple(made), {}, 0.95, 0)
    assert said in found.sentence


def test_priors_are_refitted(moved, series):
    by_choice = {each.choice: each for each in moved.refits}
    narrow = by_choice["sigma_scale = 0.5 instead of 1"]
    fit = eb.sample(series, prior=Priors(sigma_scale=0.5), seed=2)
    expected = fit.doubling_time()
    # The upper end of 600 effective draws has a standard error of about 3 %.
    np.testing.assert_allclose(
        narrow.months, [expected.low, expected.median, expected.high], rtol=0.12
    )
    assert {
        "the signed prior",
        "Student's t noise",
        "all rows",
        "the frontier model (all rows)",
    } <= set(by_choice)


def test_the_largest_change_comes_first_and_is_named(moved):
    changes = [moved.change(each) for each in moved.refits]
    known = [abs(np.log(x)) for x in changes if x is not None]
    assert known == sorted(known, reverse=True)
    assert moved.refits[0].choice in moved.sentence or changes[0] is None
    document = moved.summary()
    assert document["base"]["change"] == pytest.approx(1.0)
    assert len(document["refits"]) == len(moved.refits)


def test_power_scaling_is_arvizs(series):
    from arviz_stats import psense

    fit = eb.sample(series, seed=1)
    found = fit.power_scaling()
    expected = psense(fit.posterior, var_names=["rate"], group="likelihood")
    assert found["rate"]["likelihood"] == pytest.approx(float(expected["rate"]))
    assert set(found) == {"rate", "alpha", "sigma"}


def test_parts_take_turns_also_where_the_last_is_shorter(job_of, series):
    job = job_of(series, tables=100)
    assert [job.part(*ends).turn for ends in ((0, 40), (40, 80), (80, 101))] == [0, 1, 2]


SPREAD = """
import os, numpy as np, effbayes as eb
from effbayes import runtime
from effbayes.replicates.calibration import calibrate
series = eb.load_series("imagenet", "alexnet-training").without_bounds()
from effbayes.replicates import posteriors
posteriors.CHUNK = 64
print(len(runtime.devices("cpu")))
print(calibrate(series, sets=192, seed=5).ranks.sum(axis=0).tolist())
"""


@pytest.mark.slow
def test_all_devices_of_a_host_compute_what_one_does():
    """Two devices that XLA makes of one processor; parts take turns on them."""
    found = []
    for flags in ("", "--xla_force_host_platform_device_count=2"):
        env = os.environ | {"XLA_FLAGS": flags, "EFFBAYES_NO_CACHE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", SPREAD], env=env, capture_output=True, text=True, check=True
        )
        found.append(done.stdout.splitlines())
    assert [number for number, _ in found] == ["1", "2"]
    assert found[0][1] == found[1][1]
