"""The stochastic frontier: its densities against scipy, its map, its priors, what it refuses."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import effbayes as eb
from effbayes import runtime
from effbayes.inference import lanes
from effbayes.models import contract, frontier, loglinear
from effbayes.models.frontier import Frontier, Priors

from .conftest import make_series


@pytest.fixture
def series():
    return make_series(
        ["2012-01-01", "2013-06-01", "2014-02-01", "2016-01-01", "2017-05-05", "2018-01-01"],
        [16.0, 9.0, 5.0, 3.0, 1.0, np.nan],
        value_sd=np.array([0.0, 0.2, 0.0, 0.1, 0.0, 0.0]),
        date_sd_days=np.array([0.0, 0.0, 40.0, 0.0, 0.0, 0.0]),
        value_low=np.array([np.nan, np.nan, np.nan, 2.0, np.nan, 0.5]),
        value_high=np.array([np.nan, np.nan, np.nan, 3.5, 1.5, np.nan]),
    )


def arrays(series):
    return jax.tree.map(jnp.asarray, contract.data_from_series(series))


def expected_log_likelihood(series, values):
    """By scipy's distribution, and its integral over the bounds."""
    days = (series.date - np.datetime64("1970-01-01")).astype(float)
    t = (days - days.mean()) / 365.25
    rate, eta = values["rate"], values["eta"]
    scale = np.hypot(values["sigma"], series.value_sd)
    sd = np.hypot(scale, rate * series.date_sd_days / 365.25)
    law = stats.exponnorm(eta / sd, loc=values["alpha"] - rate * t, scale=sd)
    exact = law.logpdf(np.log2(np.where(np.isnan(series.value), 1.0, series.value)))
    low = np.log2(np.where(np.isnan(series.value_low), 1e-300, series.value_low))
    high = np.log2(np.where(np.isnan(series.value_high), 1e300, series.value_high))
    inside = np.log(law.cdf(high) - law.cdf(low))
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    return np.where(bounded, inside, exact)


def expected_log_prior(kind, values, y_mean):
    expected = stats.norm(y_mean, 10.0).logpdf(values["alpha"])
    expected += stats.halfnorm.logpdf(values["sigma"])
    expected += stats.halfnorm.logpdf(values["eta"], scale=2.0)
    if kind == "default":
        return expected + stats.lognorm(1.2, scale=18.0).logpdf(values["doubling_time"])
    return expected + stats.norm(0.0, 2.0).logpdf(values["rate"])


@cache
def all_at(model):
    """Parameters, Jacobian of the sites, likelihood, prior and joint density, compiled once."""

    def to_sites(position, data):
        made = model.constrain(position, data)
        rate = "doubling_time" if model.priors.kind == "default" else "rate"
        return jnp.stack([made[name] for name in ("alpha", rate, "sigma", "eta")])

    @jax.jit
    def compute(position, data):
        made = model.constrain(position, data)
        return (
            made,
            jax.jacfwd(to_sites)(position, data),
            model.log_likelihood(made, data),
            model.log_prior(made, data),
            model.log_density(position, data),
        )

    return compute


@cache
def value_and_grad(model):
    return jax.jit(jax.value_and_grad(model.log_density))


@pytest.mark.parametrize("position", [[0.3, -0.4, 0.2, 0.1], [-2.0, 1.0, -6.0, 2.0]])
@pytest.mark.parametrize("kind", ["default", "signed"])
def test_log_density_is_prior_times_likelihood(series, kind, position):
    with runtime.on_device("cpu"):
        data = arrays(series)
        found = all_at(Frontier(Priors(kind=kind)))(jnp.array(position), data)
        y_mean = float(data.y_mean)
    made, jacobian, likelihood, prior, joint = jax.tree.map(np.asarray, found)
    log_jacobian = np.linalg.slogdet(jacobian)[1]
    values = {name: float(value) for name, value in made.items()}
    expected = expected_log_likelihood(series, values)
    np.testing.assert_allclose(likelihood[:6], expected, rtol=1e-9, atol=1e-15)
    assert np.all(likelihood[6:] == 0.0)
    expected = expected_log_prior(kind, values, y_mean)
    assert prior == pytest.approx(expected, rel=1e-9)
    assert joint == pytest.approx(expected + np.sum(likelihood) + log_jacobian, rel=1e-9)


DATES = ["2012-01-01", "2013-06-01", "2014-02-01", "2016-01-01"]
VALUES = np.array([16.0, 9.0, 5.0, 1.0])
BOUNDS = {"value_low": [np.nan, 8.0, np.nan, np.nan], "value_high": [np.nan, 9.5, 6.0, np.nan]}


def density_and_values(series, position):
    with runtime.on_device("cpu"):
        made, *_, density = all_at(Frontier())(jnp.array(position), arrays(series))
        return float(density), {name: float(value) for name, value in made.items()}


@pytest.mark.parametrize("position", [[0.3, -0.7, 0.1, -1.0], [-2.0, 1.5, -3.0, 0.7]])
def test_rising_is_falling_of_the_inverse(position):
    low, high = (np.array(BOUNDS[name]) for name in ("value_low", "value_high"))
    falling = make_series(DATES, VALUES, value_low=low, value_high=high)
    rising = make_series(
        DATES, 1.0 / VALUES, value_low=1.0 / high, value_high=1.0 / low, direction="rising"
    )
    one = density_and_values(falling, position)
    other = density_and_values(rising, [-position[0], *position[1:]])
    assert one[0] == pytest.approx(other[0], rel=1e-11)
    assert one[1]["rate"] == pytest.approx(other[1]["rate"], rel=1e-11)
    assert one[1]["alpha"] == pytest.approx(-other[1]["alpha"], rel=1e-11)


@pytest.mark.parametrize("position", [[0.3, -0.7, 0.1, -1.0], [-2.0, 1.5, -3.0, 0.7]])
def test_the_unit_does_not_matter(position):
    one = density_and_values(make_series(DATES, VALUES), position)
    other = density_and_values(make_series(DATES, 8.64e16 * VALUES), position)
    assert one[0] == pytest.approx(other[0], rel=1e-10)
    assert one[1]["alpha"] + np.log2(8.64e16) == pytest.approx(other[1]["alpha"], rel=1e-10)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"value_low": np.full(4, 0.5)},
        {"value_high": np.full(4, 20.0)},
        {"value_low": VALUES / 1.001, "value_high": VALUES * 1.001},
    ],
    ids=["exact", "open above", "open below", "narrow"],
)
def test_far_from_the_data_densities_and_gradients_stay_finite(columns):
    with runtime.on_device("cpu"):
        data = arrays(make_series(DATES, VALUES, **columns))
        both, rng = value_and_grad(Frontier()), np.random.default_rng(0)
        for size in (1.0, 10.0, 40.0):
            for _ in range(20):
                density, gradient = both(jnp.asarray(size * rng.normal(size=4)), data)
                assert np.isfinite(density)
                assert np.all(np.isfinite(gradient))


def test_the_alpha_coordinate_has_no_cliff(alexnet):
    """At a noise of a thousandth, alpha's log density still bends by about one per unit."""
    with runtime.on_device("cpu"):
        data = arrays(alexnet.where("all").without_bounds())
        model = Frontier(censored=False)

        def given(alpha):
            return model.log_density(jnp.stack([alpha, *jnp.array([0.0, 0.0, 8.0])]), data)

        slopes = np.asarray(jax.jit(jax.vmap(jax.grad(given)))(jnp.linspace(-3.0, 3.0, 61)))
        values = model.constrain(jnp.array([0.0, 0.0, 0.0, 8.0]), data)
        assert float(values["sigma"]) < 1e-3 * float(values["eta"])
    assert np.all(np.isfinite(slopes))
    assert np.max(np.abs(np.diff(slopes))) < 0.6
    # The density has a mode within.
    assert slopes[0] > 0.0 > slopes[-1]


@pytest.mark.parametrize("ratio", [0.0, 4.0, 8.0])
def test_a_row_with_an_uncertain_date_makes_no_cliff_either(ratio):
    """Where noise is small beside it: by other coordinates the slope of rate came to 900."""
    with runtime.on_device("cpu"):
        data = arrays(eb.load_series("cifar10", "v100"))
        slope = jax.jit(jax.vmap(jax.grad(lambda z: Frontier().log_density(z, data))))
        spread = np.array([2.0, 3.0, 1.0, 0.5])
        around = np.random.default_rng(0).normal(size=(4000, 4)) * spread
        slopes = np.asarray(slope(jnp.asarray(around + np.array([-1.0, -2.0, 0.0, ratio]))))
    assert np.sum(np.asarray(data.date_sd) > 0.0) == 1
    assert np.max(np.abs(slopes)) < 40.0


def test_numbers_of_priors_may_be_arguments_of_a_program(alexnet):
    """As those of lanes are, each with priors of its own."""
    numbers = {"sigma_scale": 0.4, "eta_scale": 1.3}
    with runtime.on_device("cpu"):
        data = arrays(alexnet.where("all"))
        position = jnp.array([0.3, -0.7, 0.1, -1.0])

        def density(numbers):
            model = lanes.with_priors(Frontier(), numbers, checked=False)
            return model.log_density(position, data)

        traced = float(jax.jit(density)(numbers))
        fixed = float(Frontier(Priors(**numbers)).log_density(position, data))
    assert traced == pytest.approx(fixed, rel=1e-12)


def test_prior_draws_follow_the_priors(series):
    model = Frontier()
    with runtime.on_device("cpu"):
        data = arrays(series)
        draws = contract.draws_of(model, jax.random.key(0), data, 20_000)
        y_mean = float(data.y_mean)
    for name, law in {
        "alpha": stats.norm(y_mean, 10.0),
        "doubling_time": stats.lognorm(1.2, scale=18.0),
        "sigma": stats.halfnorm,
        "eta": stats.halfnorm(scale=2.0),
    }.items():
        # Fixed key; false alarms 1e-6 a comparison were it not.
        assert stats.kstest(np.asarray(draws[name]), law.cdf).pvalue > 1e-6
    np.testing.assert_allclose(draws["rate"], 12.0 / np.asarray(draws["doubling_time"]))


def test_noise_of_a_new_system_is_less_efficient_on_average():
    values = {"sigma": jnp.asarray(0.5), "eta": jnp.asarray(1.5)}
    drawn = np.asarray(Frontier().noise(jax.random.key(1), values, (20_000,)))
    assert stats.kstest(drawn, stats.exponnorm(3.0, scale=0.5).cdf).pvalue > 1e-6


@pytest.mark.parametrize(("direction", "sign"), [("falling", 1.0), ("rising", -1.0)])
def test_predictions_follow_the_likelihood(direction, sign):
    series = make_series(DATES, VALUES, direction=direction, value_sd=np.full(4, 0.3))
    values = {"alpha": 2.0, "rate": 0.5, "sigma": 0.4, "eta": 0.9}
    with runtime.on_device("cpu"):
        data, model = arrays(series), Frontier()
        given = {name: jnp.asarray(value) for name, value in values.items()}
        keys = jax.random.split(jax.random.key(3), 20_000)
        drawn = np.asarray(jax.vmap(lambda key: model.predict(key, given, data))(keys))
        t = np.asarray(data.t)
    for i in range(4):
        excess = sign * (drawn[:, i] - 2.0) + 0.5 * t[i]
        assert stats.kstest(excess, stats.exponnorm(0.9 / 0.5, scale=0.5).cdf).pvalue > 1e-6


def test_without_an_excess_it_is_the_log_linear_model(series):
    values = {"alpha": 2.2, "rate": 0.7, "sigma": 0.45, "eta": 1e-9}
    with runtime.on_device("cpu"):
        data = arrays(series)
        given = {name: jnp.asarray(value) for name, value in values.items()}
        found = Frontier(Priors(eta_scale=1e-9)).log_likelihood(given, data)
        expected = loglinear.LogLinear().log_likelihood(given, data)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-8)


def test_arithmetic_of_bounds_changes_nothing_without_bounds():
    with runtime.on_device("cpu"):
        data, position = arrays(make_series(DATES, VALUES)), jnp.array([0.3, -0.7, 0.1, 0.2])
        found = [
            value_and_grad(Frontier(censored=censored))(position, data)
            for censored in (True, False)
        ]
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-14)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-12)


def test_only_a_series_with_bounds_pays_for_them(series):
    assert frontier.make_model(series, Priors(), robust=False).censored
    exact = series.select(np.array([True, True, True, False, False, False]), "first three")
    assert not frontier.make_model(exact, Priors(), robust=False).censored


def test_what_it_refuses():
    with pytest.raises(eb.UsageError, match="reference"):
        Priors(kind="reference")
    with pytest.raises(eb.UsageError, match="eta_scale"):
        Priors(eta_scale=0.0)
    with pytest.raises(eb.UsageError, match="robust"):
        frontier.make_model(make_series(DATES, VALUES), Priors(), robust=True)
    line = make_series(np.datetime64("2010-01-01") + 365 * np.arange(4), [8.0, 4.0, 2.0, 1.0])
    with pytest.raises(eb.DataError, match="on one line"):
        frontier.make_model(line, Priors(), robust=False)


def test_a_frontier_on_one_line_is_proper_where_others_lie_behind():
    dates = np.datetime64("2010-01-01") + 365 * np.arange(5)
    frontier.make_model(make_series(dates, [8.0, 4.0, 5.0, 1.0, 0.5]), Priors(), robust=False)


def test_flat_log_sigma_has_no_posterior():
    """The likelihood does not vanish with sigma, so 1 / sigma is not integrable: the reason why."""
    t = 400.0 * np.arange(4) / 365.25
    y = np.array([4.0, 3.6, 1.9, 1.7])
    mass = []
    for sigma in (1e-3, 1e-5, 1e-7):
        law = stats.exponnorm(1.0 / sigma, scale=sigma)

        def likelihood(alpha, law=law):
            return float(np.exp(law.logpdf(y - alpha + 0.8 * (t - t.mean())).sum()))

        top = float((y + 0.8 * (t - t.mean())).min())
        mass.append(integrate.quad(likelihood, top - 30.0, top + 10.0 * sigma, points=[top])[0])
    assert mass[-1] > 0.99 * mass[0] > 0.0
