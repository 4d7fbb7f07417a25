"""Lanes against exact posteriors: thousands of random data sets, and none of them wrong.

The log-linear model on exact rows leaves a one-dimensional integral. With t centred and alpha's
prior centred at the mean of y, alpha integrates out in closed form; what is left of sigma depends
on the rate through the residual sum of squares alone, so that one table of that integral serves
every data set with as many rows. The rate's marginal density is then a product of two known
functions, summed on a grid that is fine both on the scale of its prior and on that of its
likelihood: no MCMC, no JAX, no effbayes.

A quantile of weighted draws has the exact probability below it that an order statistic of as many
independent draws as their effective number has: a beta distribution, turned into a standard
normal's z. A mean is off by its posterior's standard deviation over the root of that number. The
false-alarm budget is 1e-6 a test, shared by its comparisons; seeds are fixed.

The other models have no such integral at hand for many series, but NUTS: two shipped series each.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from scipy import stats
from scipy.interpolate import CubicSpline

import effbayes as eb
from effbayes import runtime
from effbayes.inference import lanes
from effbayes.inference.importance import ImportanceSettings
from effbayes.inference.lanes import Lanes, LaneSettings, Shape
from effbayes.inference.nuts import SamplerSettings
from effbayes.models.contract import Data, chosen
from effbayes.models.loglinear import LogLinear
from effbayes.replicates import engine, posteriors
from effbayes.replicates.ecdf_band import ecdf_band
from effbayes.replicates.posteriors import METHODS, Posteriors, Where

Floats = NDArray[np.float64]

FALSE_ALARMS = 1e-6
PROBS = (0.025, 0.5, 0.975)
DATES = ["2012-06-01", "2014-03-10", "2015-07-21", "2017-01-05", "2018-11-30", "2019-05-28"]
N = len(DATES)
MODEL = LogLinear(censored=False)
SETTINGS = LaneSettings(probs=PROBS)
ROOT = np.array([20, 26], dtype=np.uint32)
SHAPE = Shape(64, 8)
"""What `Where` gives on a CPU."""
KEPT = 49


# Data and their exact posteriors ------------------------------------------------------------------


class Tables(NamedTuple):
    """Random data sets; `y` has dims (lane, row), `sign` (lane,) is -1 for a falling one."""

    t: Floats
    y: Floats
    sign: Floats


def tables(number: int, seed: int) -> Tables:
    """Drawn from the prior: rates from none to one that no noise could hide."""
    rng = np.random.default_rng(seed)
    days = np.array(DATES, dtype="datetime64[D]").astype(float)
    t = (days - days.mean()) / 365.25
    alpha, sigma = 10.0 * rng.normal(size=number), np.abs(rng.normal(size=number))
    rate = 12.0 / (18.0 * np.exp(1.2 * rng.normal(size=number)))
    sign = rng.choice([-1.0, 1.0], number)
    trend = alpha[:, None] + (sign * rate)[:, None] * t
    return Tables(t, trend + sigma[:, None] * rng.normal(size=(number, N)), sign)


def data_of(some: Tables) -> Data:
    """As the package has it, in a bucket of eight rows."""
    number = len(some.y)
    slope = some.y @ some.t / (some.t @ some.t)
    level = some.y.mean(axis=1)
    residual = some.y - level[:, None] - slope[:, None] * some.t

    def rows(column, fill):
        return np.c_[np.broadcast_to(column, (number, N)), np.full((number, 2), fill)]

    def same(value):
        return np.full(number, value)

    return Data(
        t=rows(some.t, 0.0),
        y=rows(some.y, 0.0),
        low=rows(-np.inf, -np.inf),
        high=rows(np.inf, np.inf),
        value_sd=rows(0.0, 0.0),
        date_sd=rows(0.0, 0.0),
        mask=np.c_[np.ones((number, N), dtype=bool), np.zeros((number, 2), dtype=bool)],
        y_mean=level,
        first=same(some.t.min()),
        last=same(some.t.max()),
        slope_sign=some.sign,
        rate_guess=some.sign * slope,
        sigma_guess=np.sqrt((residual**2).sum(axis=1) / (N - 2) + 0.05**2),
        sigma_far=np.sqrt(some.y.var(axis=1) + 0.05**2),
    )


@cache
def sigma_integrated(step: float) -> CubicSpline:
    """Log of the integral over sigma of likelihood, alpha's marginal and prior, at log squares."""
    log_squares = np.arange(-40.0, 16.0, step)
    log_sigma = np.arange(-32.0, 3.0, step)
    sigma2 = np.exp(2.0 * log_sigma)
    rest = (2 - N) * log_sigma - 0.5 * np.log(10.0**2 + sigma2 / N) - 0.5 * sigma2
    found = []
    for value in log_squares:
        exponent = rest - 0.5 * np.exp(np.minimum(value - 2.0 * log_sigma, 700.0))
        top = exponent.max()
        found.append(top + np.log(np.exp(exponent - top).sum() * step))
    return CubicSpline(log_squares, found)


class Exact(NamedTuple):
    """Of the rate; dims (lane,), and (lane, prob) for the probability below each quantile found."""

    mean: Floats
    sd: Floats
    below: Floats


def exact(some: Tables, found: Floats, *, nodes: int = 700, step: float = 0.02) -> Exact:
    """Mean and standard deviation of the rate, and the probability below the quantiles `found`."""
    parts = [
        _exact(
            Tables(some.t, some.y[i : i + 1000], some.sign[i : i + 1000]),
            found[i : i + 1000],
            nodes,
            sigma_integrated(step),
        )
        for i in range(0, len(some.y), 1000)
    ]
    return Exact(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _exact(some: Tables, found: Floats, nodes: int, log_integral: CubicSpline) -> Exact:
    t2 = some.t @ some.t
    slope = some.y @ some.t / t2
    residual = some.y - some.y.mean(axis=1)[:, None] - slope[:, None] * some.t
    squares, centre = (residual**2).sum(axis=1)[:, None], (some.sign * slope)[:, None]
    # A grid of the log rate that is even on the prior's scale, and one that is fine at the mode.
    wide = np.broadcast_to(np.linspace(-9.0, 8.0, nodes), (len(some.y), nodes))
    fine = centre + np.sqrt(squares / t2 / (N - 2)) * np.sinh(np.linspace(-9.0, 9.0, nodes))
    x = np.sort(np.c_[wide, np.log(np.maximum(fine, 1e-4))], axis=1)
    rate = np.exp(x)
    log_density = log_integral(np.log(squares + t2 * (rate - centre) ** 2))
    # The log doubling time 12 / r has mean log 18 and standard deviation 1.2.
    log_density -= 0.5 * ((x - np.log(12.0 / 18.0)) / 1.2) ** 2
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))

    def integral(f):
        return np.cumsum(0.5 * (f[:, 1:] + f[:, :-1]) * np.diff(x, axis=1), axis=1)

    total = integral(density)[:, -1:]
    mean = integral(density * rate)[:, -1:] / total
    variance = integral(density * (rate - mean) ** 2)[:, -1:] / total
    below = np.c_[np.zeros(len(x)), integral(density) / total]
    with np.errstate(divide="ignore"):
        at = np.log(np.maximum(found, 0.0))
    share = [np.interp(at[k], x[k], below[k]) for k in range(len(x))]
    return Exact(mean[:, 0], np.sqrt(variance[:, 0]), np.array(share))


def z_of_quantiles(below: Floats, ess: Floats) -> Floats:
    """Standard normal if quantiles of so many independent draws have these probabilities below."""
    size, p = np.asarray(ess)[..., None], np.array(PROBS)
    share = stats.beta.cdf(below, size * p + 0.5, size * (1.0 - p) + 0.5)
    upper = stats.beta.sf(below, size * p + 0.5, size * (1.0 - p) + 0.5)
    return np.where(share < 0.5, stats.norm.ppf(share), stats.norm.isf(upper))


def z_limit(comparisons: int) -> float:
    return float(stats.norm.isf(0.5 * FALSE_ALARMS / comparisons))


def distances(some: Tables, found: dict[str, np.ndarray]) -> Floats:
    """z of the rate's quantiles and of its mean, dims (lane, 4)."""
    known = exact(some, found["quantile"][:, 0])
    mean = (found["mean"][:, 0] - known.mean) / known.sd * np.sqrt(found["ess"])
    return np.c_[z_of_quantiles(known.below, found["ess"]), mean]


def job(some: Tables, **changes) -> Posteriors:
    return Posteriors(MODEL, SETTINGS, Lanes(data_of(some)), len(some.y), ROOT, **changes)


@pytest.fixture(scope="module")
def thousand():
    some = tables(1024, seed=1)
    return some, engine.run(job(some), chunk=512)


# Exact references ---------------------------------------------------------------------------------


def test_the_reference_does_not_change_with_its_grids(thousand):
    some, found = thousand
    known, coarse = (
        exact(some, found["quantile"][:, 0], nodes=nodes, step=step)
        for nodes, step in ((700, 0.02), (350, 0.04))
    )
    p = np.array(PROBS)
    assert np.abs(known.below - coarse.below).max() < 0.1 * np.sqrt(0.025 * 0.975 / 1024)
    assert np.all(np.abs(known.below - coarse.below) < 0.1 * np.sqrt(p * (1.0 - p) / 1024))
    assert np.abs((known.mean - coarse.mean) / known.sd).max() < 1e-3
    np.testing.assert_allclose(known.sd, coarse.sd, rtol=1e-3)


def test_none_of_a_thousand_posteriors_is_wrong(thousand, tell):
    some, found = thousand
    assert found["ok"].all()
    z = distances(some, found)
    tell(z)
    assert np.abs(z).max() < z_limit(z.size)
    # Together they are more demanding: no drift of a quantile or a mean over all lanes.
    assert np.abs(z.mean(axis=0) * np.sqrt(len(z))).max() < z_limit(z.shape[1]) + 1.0
    known = exact(some, found["quantile"][:, 0])
    np.testing.assert_allclose(found["sd"][:, 0], known.sd, rtol=0.6)


@pytest.mark.slow
def test_none_of_a_hundred_thousand_posteriors_is_wrong(tell):
    """And all but a few are certified without NUTS."""
    some = tables(100_000, seed=2)
    found = engine.run(job(some), chunk=4096)
    assert found["ok"].all()
    assert np.mean(found["method"] < METHODS.index("NUTS")) >= 0.995
    z = distances(some, found)
    tell(z)
    assert np.abs(z).max() < z_limit(z.size)


# The same bits ------------------------------------------------------------------------------------


def test_a_lane_has_the_same_bits_wherever_and_beside_whatever_it_is(thousand):
    some, found = thousand
    data, rng = data_of(some), np.random.default_rng(3)
    with runtime.on_device("cpu") as device:
        for _ in range(12):
            # From a lane alone to a full call, in any order.
            number = int(rng.integers(1, SHAPE.lanes + 1))
            places = rng.permutation(len(some.y))[:number]
            again = lanes.run_lanes(
                MODEL,
                SETTINGS,
                SHAPE,
                ROOT,
                places,
                Lanes(chosen(data, places)),
                plan=runtime.plan(device),
            )
            for name, column in again.items():
                np.testing.assert_array_equal(column, found[name][places], err_msg=name)


def test_random_numbers_follow_the_number_of_a_lane_and_not_its_place():
    """One data set under two numbers: other draws. Under one number in two places: the same."""
    one = tables(1, seed=4)
    twice = Tables(one.t, np.repeat(one.y, 3, axis=0), np.repeat(one.sign, 3))
    found = job(twice, numbers=np.array([7, 8, 7])).part(0, 3).run()
    np.testing.assert_array_equal(found["mean"][0], found["mean"][2])
    assert found["mean"][0, 0] != found["mean"][1, 0]


@pytest.mark.parametrize("width", [1, 7, 8, 48, 64, 100])
def test_no_lanes_are_left_over_for_a_program_of_another_width(width):
    with runtime.on_device("cpu") as device:
        shape = Where("cpu", width).shape(device, SETTINGS.importance.draws)
        assert Where("cpu").shape(device, SETTINGS.importance.draws) == SHAPE
    assert shape.width == width
    assert shape.lanes % width == 0
    assert shape.lanes >= SHAPE.lanes


# Simulated lanes ----------------------------------------------------------------------------------

SIMULATED = LaneSettings(probs=PROBS, simulated=True, kept=KEPT)


@pytest.fixture(scope="module")
def template():
    return chosen(data_of(tables(1, seed=5)), 0)


@pytest.fixture(scope="module")
def simulated(template):
    return engine.run(Posteriors(MODEL, SIMULATED, Lanes(template), 1024, ROOT), chunk=512)


def test_simulated_lanes_come_again_as_they_were(simulated, template):
    """Truth to the bit; a fit to the data that come again is the lane's fit, to rounding."""
    numbers = np.array([0, 5, 63, 64, 900])
    with runtime.on_device("cpu"):
        again, data = lanes.simulate_lanes(MODEL, ROOT, numbers, template)
    names = lanes.quantities(MODEL)
    truth = np.stack([again[name] for name in names], axis=1)
    np.testing.assert_array_equal(truth, simulated["truth"][numbers, : len(names)])
    with runtime.on_device("cpu") as device:
        plan = runtime.plan(device)
        fitted = lanes.run_lanes(MODEL, SETTINGS, SHAPE, ROOT, numbers, Lanes(data), plan=plan)
    for name in ("mean", "sd", "quantile", "ess"):
        np.testing.assert_allclose(fitted[name], simulated[name][numbers], rtol=1e-9)


def test_truth_is_drawn_from_the_prior(simulated, template):
    """Kolmogorov-Smirnov against SciPy's distributions; false-alarm budget 1e-6 in all."""
    rate, alpha, sigma = simulated["truth"][:, :3].T
    laws = [
        (12.0 / rate, stats.lognorm(1.2, scale=18.0)),
        (alpha, stats.norm(template.y_mean, 10.0)),
        (sigma, stats.halfnorm()),
    ]
    assert min(stats.kstest(x, law.cdf).pvalue for x, law in laws) > FALSE_ALARMS / len(laws)


def test_simulated_lanes_are_ranked_uniformly(simulated):
    """False-alarm budget 1e-6, a quarter for each of the four ranked quantities."""
    assert simulated["ok"].all()
    assert simulated["rank"].shape == (1024, 4)
    band = ecdf_band(1024, KEPT + 1, 0.25 * FALSE_ALARMS)
    assert [band.excursions(column) for column in simulated["rank"].T] == [[], [], [], []]


# More draws, then NUTS ----------------------------------------------------------------------------


def test_lanes_that_fail_get_more_draws(monkeypatch):
    """Each with its own data: the failed ones are gathered from among those that are good."""
    some = tables(48, seed=6)
    first = job(some).part(0, 48).run()
    limit = float(np.median(first["ess"]))
    monkeypatch.setattr(posteriors, "ESS_LIMIT", limit)
    found = job(some).part(0, 48).run()
    failed = first["ess"] < limit
    assert 10 < failed.sum() < 40
    np.testing.assert_array_equal(found["method"] == METHODS.index("more weighted draws"), failed)
    assert found["ok"].all()
    assert np.all(found["ess"][failed] > 2000)
    for name in ("mean", "quantile", "ess"):
        np.testing.assert_array_equal(found[name][~failed], first[name][~failed])
    z = distances(some, found)
    assert np.abs(z).max() < z_limit(z.size)


@pytest.fixture
def no_weights_are_trusted(monkeypatch):
    """Both stages of weighted draws fail; the second is the first, to save its compilation."""
    monkeypatch.setattr(posteriors, "ESS_LIMIT", np.inf)
    monkeypatch.setattr(posteriors, "HARDER", ImportanceSettings())


def test_nuts_is_the_last_resort(no_weights_are_trusted, tell):
    some = tables(2, seed=7)
    found = job(some).part(0, 2).run()
    assert found["ok"].all()
    assert [METHODS[m] for m in found["method"]] == ["NUTS", "NUTS"]
    assert np.isnan(found["k_hat"]).all()
    assert np.all(found["ess"] > 400)
    z = distances(some, found)
    tell(z)
    assert np.abs(z).max() < z_limit(z.size)
    assert np.all(np.diff(found["quantile"], axis=2) > 0.0)


def test_a_lane_whose_nuts_fails_is_reported(no_weights_are_trusted, monkeypatch):
    monkeypatch.setattr(posteriors, "SamplerSettings", lambda: SamplerSettings(warmup=50, draws=50))
    found = job(tables(1, seed=7)).part(0, 1).run()
    assert METHODS[found["method"][0]] == "NUTS"
    assert not found["ok"][0]
    assert np.isfinite(found["mean"]).all()


def test_a_simulated_lane_by_nuts_is_of_the_same_data(no_weights_are_trusted, simulated, template):
    part = Posteriors(MODEL, SIMULATED, Lanes(template), 3, ROOT).part(2, 3)
    found = part.run()
    assert METHODS[found["method"][0]] == "NUTS"
    np.testing.assert_allclose(found["truth"][0], simulated["truth"][2], rtol=1e-9)
    assert found["rank"].shape == (1, 4)
    # Two independent estimates of the same ranks: binomial, with a budget of 1e-6.
    share = (simulated["rank"][2] + found["rank"][0]) / (2.0 * KEPT)
    spread = np.sqrt(2.0 * np.maximum(share * (1.0 - share), 0.25 / KEPT) * KEPT)
    difference = np.abs(found["rank"][0] - simulated["rank"][2])
    assert np.all(difference < (z_limit(4) + 1.0) * spread)


# Other models -------------------------------------------------------------------------------------

V100, FIVE_ROWS = ("cifar10", "v100"), ("imagenet-fixed-hardware", "8xv100")
SHIPPED = {
    "loglinear": [
        (name, one.name) for name in eb.domain_names() for one in eb.load_domain(name).values()
    ],
    "frontier": [V100, FIVE_ROWS],
    "records": [("imagenet", "alexnet-training"), FIVE_ROWS],
    "changepoint": [V100, FIVE_ROWS],
    "drift": [V100, FIVE_ROWS],
}
"""All for the log-linear model; else short ones, which share programs; one has bounds."""


@pytest.mark.parametrize(
    "model",
    [
        "records",
        # Each compiles two programs for half a minute and more.
        *(pytest.param(name, marks=pytest.mark.slow) for name in SHIPPED if name != "records"),
    ],
)
def test_lanes_of_shipped_series_have_the_quantiles_of_nuts(model, tell):
    """Every quantity, on the scale of probability below; false-alarm budget 1e-6 a test."""
    series = [eb.load_series(*each) for each in SHIPPED[model]]
    many = eb.sample_many(series, model, seed=8, platform="cpu")
    assert many.ok.all(), many.reasons()
    assert all(method != "NUTS" for method in many.method)
    z = []
    for place, one in enumerate(series):
        fit = eb.sample(one, model=model, seed=9, draws=2000)
        assert str(fit.verdict) == "ok"
        for i, name in enumerate(many.quantities):
            draws = fit.draws[name]
            sizes = [
                array_stats.ess(draws, chain_axis=0, draw_axis=1, method="quantile", prob=prob)
                for prob in PROBS
            ]
            both = 1.0 / (1.0 / np.array(sizes) + 1.0 / many.ess[place])
            below = np.mean(draws.ravel() < many.quantile[place, i][:, None], axis=1)
            z.append(np.diag(z_of_quantiles(np.tile(below, (len(PROBS), 1)), both)))
    tell(z)
    assert np.abs(z).max() < z_limit(np.size(z))
