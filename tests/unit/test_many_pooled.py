"""Many groups of series at once: what is reported of each, in its place, and what is refused."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import effbayes as eb
from effbayes import runtime
from effbayes.errors import DeviceError, OutOfMemoryError, UsageError
from effbayes.inference import lanes
from effbayes.models import hierarchical
from effbayes.replicates import posteriors

from .conftest import make_series

SEED = 12


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(1)
    dates = np.datetime64("2014-01-01") + np.arange(5) * 250
    return [
        make_series(dates, 2.0 ** (8 - 1.2 * np.arange(5) + rng.normal(0, 0.4, 5)), name=name)
        for name in ("one", "two")
    ]


@pytest.fixture(scope="module")
def three(pair):
    dates = ["2013-01-01", "2016-06-01"]
    return [*pair, make_series(dates, [64.0, 4.0], name="three")]


@pytest.fixture(scope="module")
def on_lines():
    """Exact rows, each series on a line: the noise of all may vanish."""
    dates = ["2013-01-01", "2014-01-01", "2015-01-01"]
    return [
        make_series(dates, [8.0, 4.0, 2.0], name="one"),
        make_series(dates, [27.0, 9.0, 3.0], name="two"),
    ]


@pytest.fixture(scope="module")
def fitted(pair, three, on_lines):
    return eb.sample_many_pooled([pair, three, on_lines], seed=SEED, platform="cpu")


def test_every_group_is_reported_in_its_place(fitted):
    assert len(fitted) == 3
    assert list(fitted.ok) == [True, True, False]
    population = ("doubling_time_typical", "doubling_time_new", "tau", "s")
    members = [f"{name}[{i}]" for i in range(3) for name in ("rate", "alpha", "sigma")]
    assert fitted.quantities == (*population, *members)
    assert fitted.quantile.shape == (3, 13, 3)
    assert fitted.probs == pytest.approx((0.025, 0.5, 0.975))


def test_a_smaller_group_has_nothing_for_the_series_that_it_lacks(fitted):
    assert np.isfinite(fitted.quantile[0, :10]).all()
    assert np.isnan(fitted.quantile[0, 10:]).all()
    assert np.isfinite(fitted.quantile[1]).all()
    assert np.isnan(fitted.doubling_time()[0, 2]).all()


def test_a_group_without_a_posterior_is_there_with_its_reason(fitted):
    assert fitted.method[2] == "refused"
    assert "line" in fitted.reasons()[2]
    assert np.isnan(fitted.mean[2]).all()


def test_doubling_times_are_rates_turned_over(fitted):
    np.testing.assert_allclose(fitted.doubling_time()[1], 12.0 / fitted.rate()[1, :, ::-1])
    np.testing.assert_array_equal(fitted.typical(), fitted.quantile[:, 0])
    np.testing.assert_array_equal(fitted.new_domain(), fitted.of("doubling_time_new"))
    with pytest.raises(UsageError, match="no quantity 'mu'"):
        fitted.of("mu")


def test_a_frame_has_a_row_for_each_series(fitted):
    frame = fitted.frame()
    assert list(frame["group"]) == [0, 0, 1, 1, 1, 2, 2]
    assert list(frame["n_obs"]) == [5, 5, 5, 5, 2, 3, 3]
    assert frame["doubling_time_months_median"][4] == fitted.doubling_time()[1, 2, 1]
    assert frame["doubling_time_typical_months_high"][0] == fitted.typical()[0, 2]
    assert list(frame["ok"]) == [True] * 5 + [False] * 2


def test_a_group_has_the_same_bits_whatever_is_beside_it(fitted, pair, three):
    told = []
    again = eb.sample_many_pooled(
        [pair, three], seed=SEED, platform="cpu", progress=lambda *done: told.append(done)
    )
    np.testing.assert_array_equal(again.quantile, fitted.quantile[:2])
    assert told[-1] == (2, 2)


def test_a_refused_group_may_be_the_largest(pair):
    """Three series, none of which leaves noise: still a row for each."""
    exact = []
    dates = ["2013-01-01", "2014-01-01", "2015-01-01"]
    for base in (2.0, 3.0, 5.0):
        values = base ** np.array([3.0, 2.0, 1.0])
        exact.append(make_series(dates, values, name=f"base {base}"))
    found = eb.sample_many_pooled([pair, exact], seed=SEED, platform="cpu")
    assert list(found.ok) == [True, False]
    frame = found.frame()
    assert list(frame["group"]) == [0, 0, 1, 1, 1]
    assert np.isnan(frame["doubling_time_months_median"][2:]).all()


def test_doubling_times_have_no_mean(fitted):
    places = [name.startswith("doubling_time") for name in fitted.quantities]
    assert np.isnan(fitted.mean[:, places]).all()
    assert np.isnan(fitted.sd[:, places]).all()
    assert np.isfinite(fitted.mean[1, ~np.array(places)]).all()


def test_means_of_two_seeds_agree(fitted, three):
    """Within five standard errors of weighted draws, which are independent between seeds."""
    again = eb.sample_many_pooled([three], seed=SEED + 1, platform="cpu")
    error = fitted.sd[1] * np.sqrt(1.0 / fitted.ess[1] + 1.0 / again.ess[0])
    z = (again.mean[0] - fitted.mean[1]) / error
    assert np.nanmax(np.abs(z)) < 5.0


def test_nuts_is_the_last_resort(fitted, pair, monkeypatch):
    """Its quantiles, in the order of the names, are those of weighted draws: six errors."""
    monkeypatch.setattr(posteriors, "ESS_LIMIT", np.inf)
    monkeypatch.setattr(posteriors, "harder", lambda settings: settings)
    found = eb.sample_many_pooled([pair], seed=SEED, platform="cpu")
    assert found.method == ("NUTS",)
    assert found.ok.all()
    width = fitted.quantile[0, :10, 2] - fitted.quantile[0, :10, 0]
    away = np.abs(found.quantile[0, :, 1] - fitted.quantile[0, :10, 1]) / width
    # A median's error is 1.25 sd over the root of the draws, and an interval about four sd.
    assert away.max() < 6.0 * 1.25 / 4.0 * np.sqrt(1.0 / found.ess[0] + 1.0 / fitted.ess[0])


def test_rows_of_several_series_are_not_left_out(pair):
    model = hierarchical.make_model(pair, hierarchical.Priors(), robust=False)
    data = hierarchical.data_from_many(pair)
    with pytest.raises(UsageError, match="models of one series alone"):
        posteriors.Posteriors(
            model,
            lanes.LaneSettings(leaves_out=True),
            lanes.Lanes(data, row=np.arange(1)),
            1,
            np.zeros(2, dtype=np.uint32),
        )


def test_no_group_has_a_posterior(on_lines):
    found = eb.sample_many_pooled([on_lines], seed=SEED, platform="cpu")
    assert not found.ok.any()
    assert found.typical().shape == (1, 3)
    assert np.isnan(found.typical()).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior": "flat"}, "prior"),
        ({"prior": "reference"}, "default prior alone"),
        ({"seed": -1}, "seed = -1"),
        ({"ci": 1.0}, "ci = 1.0"),
        ({"platform": "abacus"}, "platform 'abacus'"),
    ],
)
def test_what_cannot_be_is_a_usage_error(pair, options, message):
    with pytest.raises(UsageError, match=message):
        eb.sample_many_pooled([pair], **options)


def test_groups_that_cannot_be_pooled_are_usage_errors(pair):
    with pytest.raises(UsageError, match="no groups"):
        eb.sample_many_pooled([])
    with pytest.raises(UsageError, match="at least two series"):
        eb.sample_many_pooled([pair[:1]])
    with pytest.raises(UsageError, match="different names"):
        eb.sample_many_pooled([[pair[0], pair[0]]])


# A device without memory for all ------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """A device that has room for three lanes side by side."""
    right = lanes.run_lanes

    def run(model, settings, shape, *rest, **named):
        if shape.width > 3:
            raise OutOfMemoryError(f"cpu: no memory for {shape.width} lanes at once")
        return right(model, settings, shape, *rest, **named)

    monkeypatch.setattr(lanes, "run_lanes", run)
    monkeypatch.setattr(posteriors, "_fitting", {})


def test_lanes_that_find_no_memory_are_halved_until_they_do(small, pair):
    with (
        pytest.warns(UserWarning, match="no memory for 8 lanes at once; goes on with 4"),
        pytest.warns(UserWarning, match="no memory for 4 lanes at once; goes on with 2"),
    ):
        found = eb.sample_many(pair, seed=SEED, platform="cpu")
    assert found.ok.all()
    assert [shape.width for shape in posteriors._fitting.values()] == [2]


def test_one_failure_is_halved_once(small, pair):
    """Of two threads that failed with the same shape, the second finds it halved."""
    model = hierarchical.Hierarchical()
    data = hierarchical.data_from_many(pair)
    job = posteriors.Posteriors(
        model, lanes.LaneSettings(), lanes.Lanes(data), 1, np.zeros(2, dtype=np.uint32)
    )
    part, plan = job.part(0, 1), plan_of_cpu()
    failed = part._shape(job.settings, plan)
    with pytest.warns(UserWarning, match="goes on with 4"):
        part._halve(job.settings, plan, failed, OutOfMemoryError("no memory"))
    part._halve(job.settings, plan, failed, OutOfMemoryError("no memory"))
    assert part._shape(job.settings, plan) == lanes.Shape(32, 4)


@pytest.mark.filterwarnings("ignore:.*no memory for")
def test_a_device_without_room_for_one_lane_is_an_error(monkeypatch, pair):
    def run(*_, **__):
        raise OutOfMemoryError("cpu: no memory for 1 lanes at once")

    monkeypatch.setattr(lanes, "run_lanes", run)
    monkeypatch.setattr(posteriors, "_fitting", {})
    with pytest.raises(DeviceError, match="no memory for 1"):
        eb.sample_many(pair, seed=SEED, platform="cpu")


@pytest.mark.parametrize("compiling", [False, True])
def test_what_jax_says_of_memory_becomes_that_error(compiling, monkeypatch, pair):
    def full(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")

    monkeypatch.setattr(lanes, "_program", full if compiling else lambda *_: full)
    with pytest.raises(OutOfMemoryError, match="no memory for 8 lanes"):
        lanes.run_lanes(
            hierarchical.Hierarchical(),
            lanes.LaneSettings(),
            lanes.Shape(8, 8),
            np.zeros(2, dtype=np.uint32),
            np.arange(1),
            lanes.Lanes(hierarchical.data_from_many(pair)),
            plan=plan_of_cpu(),
        )


def plan_of_cpu():
    with runtime.on_device("cpu") as device:
        return runtime.plan(device)
