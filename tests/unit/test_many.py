"""Many series at once: what is reported of each, in its place, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import effbayes as eb
from effbayes.errors import RunFileError, UsageError
from effbayes.replicates import many
from effbayes.replicates.posteriors import METHODS

from .conftest import make_series

SEED = 11


@pytest.fixture(scope="module")
def on_a_line():
    """Three exact rows, as far apart in time as in value: the smaller the noise the better."""
    dates = ["2013-01-01", "2014-01-01", "2015-01-01"]
    return make_series(dates, [8.0, 4.0, 2.0], name="on-a-line")


@pytest.fixture(scope="module")
def one_record():
    """Its first row is its only record: no trend by records."""
    dates = ["2015-01-01", "2016-01-01", "2017-01-01"]
    frontier = np.array([True, False, False])
    return make_series(dates, [8.0, 9.0, 10.0], name="one-record", frontier=frontier)


@pytest.fixture(scope="module")
def shipped():
    """Of two buckets."""
    return [
        eb.load_series("imagenet-fixed-hardware", "8xv100"),
        eb.load_series("cifar10", "v100"),
        eb.load_series("cifar10", "a100"),
        eb.load_series("imagenet", "resnet50-training"),
    ]


@pytest.fixture(scope="module")
def fitted(shipped, on_a_line):
    return eb.sample_many([*shipped[:2], on_a_line, *shipped[2:]], seed=SEED, platform="cpu")


def test_every_series_is_reported_in_its_place(fitted, shipped, on_a_line):
    given = [*shipped[:2], on_a_line, *shipped[2:]]
    assert len(fitted) == len(given)
    assert [one.id for one in fitted.series] == [one.id for one in given]
    assert fitted.model == "loglinear"
    assert fitted.quantities == ("rate", "alpha", "sigma")
    assert fitted.probs == pytest.approx((0.025, 0.5, 0.975))
    assert fitted.quantile.shape == (5, 3, 3)
    assert list(fitted.ok) == [True, True, False, True, True]
    assert [method in METHODS for method in fitted.method] == [True, True, False, True, True]


def test_a_series_without_a_posterior_is_there_with_its_reason(fitted):
    assert list(fitted.refused) == [2]
    assert fitted.reasons() == fitted.refused
    assert "on-a-line" in fitted.refused[2]
    assert fitted.method[2] == "refused"
    for column in (fitted.mean, fitted.sd, fitted.quantile, fitted.k_hat, fitted.rate()):
        assert np.isnan(column[2]).all()
        assert np.isfinite(np.delete(column, 2, axis=0)).all()
    assert np.isnan(fitted.doubling_time()[2]).all()
    assert fitted.ess[2] == 0.0


def test_doubling_times_are_rates_turned_over(fitted):
    months, rate = fitted.doubling_time(), fitted.rate()
    np.testing.assert_allclose(months, 12.0 / rate[:, ::-1], rtol=1e-12)
    there = np.delete(months, 2, axis=0)
    assert np.all(np.diff(there, axis=1) > 0.0)


def test_estimates_are_those_of_a_single_fit(fitted, shipped):
    """Medians within a fifth of the posterior's spread: `tests/reference` is sharper."""
    single = eb.sample(shipped[0], seed=1)
    draws = single.draws["rate"]
    assert fitted.rate()[0, 1] == pytest.approx(np.median(draws), abs=0.2 * np.std(draws))
    assert fitted.sd[0, 0] == pytest.approx(np.std(draws), rel=0.2)


def test_a_frame_has_a_row_for_each(fitted):
    frame = fitted.frame()
    assert list(frame["series"]) == [one.id for one in fitted.series]
    assert list(frame["n_obs"]) == [one.n_obs for one in fitted.series]
    assert list(frame["ok"]) == list(fitted.ok)
    assert list(frame["method"]) == list(fitted.method)
    months = frame[[f"doubling_time_months_{name}" for name in ("low", "median", "high")]]
    np.testing.assert_array_equal(months, fitted.doubling_time())
    for i, name in enumerate(fitted.quantities):
        np.testing.assert_array_equal(frame[f"{name}_mean"], fitted.mean[:, i])
        np.testing.assert_array_equal(frame[f"{name}_sd"], fitted.sd[:, i])


def same(a, b, place):
    """Whether a place of two results has the same bits."""
    return all(
        np.array_equal(getattr(a, name)[place], getattr(b, name)[place], equal_nan=True)
        for name in ("mean", "sd", "quantile", "k_hat", "ess")
    )


def test_a_seed_gives_the_same_bits_and_another_does_not(fitted):
    again, other = (
        eb.sample_many(fitted.series, seed=seed, platform="cpu") for seed in (SEED, SEED + 1)
    )
    assert all(same(fitted, again, place) for place in range(len(fitted)))
    assert not any(same(fitted, other, place) for place in (0, 1, 3, 4))


def test_a_series_has_the_same_bits_whatever_is_beside_it(fitted):
    """At its place: in the company of others, and alone but for what has no posterior."""
    beside = list(fitted.series)
    beside[0], beside[4] = beside[4], beside[2]
    again = eb.sample_many(beside, seed=SEED, platform="cpu")
    assert same(fitted, again, 1)
    assert same(fitted, again, 3)
    nothing = fitted.series[2]
    alone = eb.sample_many([nothing, nothing, nothing, fitted.series[3]], seed=SEED, platform="cpu")
    assert same(fitted, alone, 3)
    assert set(alone.refused) == {0, 1, 2}
    # One series at two places has two independent posteriors.
    twice = eb.sample_many([fitted.series[3]] * 2, seed=SEED, platform="cpu")
    assert twice.mean[0, 0] != twice.mean[1, 0]


def test_progress_counts_series(fitted):
    seen = []
    eb.sample_many(
        fitted.series,
        seed=SEED,
        platform="cpu",
        progress=lambda done, all_: seen.append((done, all_)),
    )
    assert seen[-1] == (5, 5)
    assert seen == sorted(seen)


def test_nothing_but_what_has_no_posterior(on_a_line):
    found = eb.sample_many([on_a_line, on_a_line])
    assert not found.ok.any()
    assert set(found.reasons()) == {0, 1}
    assert len(found.frame()) == 2


def test_rows_that_leave_no_trend_are_a_reason_too(one_record, on_a_line):
    """Not an error of the whole: thousands of others may have one."""
    found = eb.sample_many([on_a_line, one_record], where="frontier")
    assert set(found.refused) == {0, 1}
    assert found.series[1] is one_record


# A folder -----------------------------------------------------------------------------------------


def test_a_folder_goes_on_where_a_run_stopped(fitted, tmp_path, monkeypatch):
    folder = tmp_path / "new" / "run"
    first = eb.sample_many(fitted.series, seed=SEED, platform="cpu", folder=folder)
    assert all(same(fitted, first, place) for place in range(len(fitted)))

    def computed(part):
        raise AssertionError("a finished chunk was computed again")

    monkeypatch.setattr("effbayes.replicates.posteriors.PosteriorsPart.run", computed)
    again = eb.sample_many(fitted.series, seed=SEED, platform="cpu", folder=folder)
    assert all(same(fitted, again, place) for place in range(len(fitted)))
    assert again.method == fitted.method
    assert list(again.ok) == list(fitted.ok)

    with pytest.raises(RunFileError, match="holds another job"):
        eb.sample_many(fitted.series, seed=SEED + 1, platform="cpu", folder=folder)


def test_a_chunk_that_was_lost_is_computed_again(fitted, tmp_path):
    eb.sample_many(fitted.series, seed=SEED, platform="cpu", folder=tmp_path)
    chunks = sorted(tmp_path.glob("*/*.chunk"))
    chunks[0].unlink()
    chunks[1].write_bytes(chunks[1].read_bytes()[:-1])
    again = eb.sample_many(fitted.series, seed=SEED, platform="cpu", folder=tmp_path)
    assert all(same(fitted, again, place) for place in range(len(fitted)))
    assert chunks[0].exists()


# Refusals -----------------------------------------------------------------------------------------


def test_no_series_is_a_usage_error():
    with pytest.raises(UsageError, match="no series"):
        eb.sample_many([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "spline"}, "no model 'spline'"),
        ({"model": "hierarchical"}, "takes several series"),
        ({"prior": "flat"}, "prior 'flat'"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 2**63}, "seed = "),
        ({"seed": 0.5}, "seed = 0.5"),
        ({"seed": "1"}, "seed = 1"),
        ({"ci": 0.0}, "ci = 0.0"),
        ({"ci": 1.0}, "ci = 1.0"),
        ({"ci": float("nan")}, "ci = nan"),
        ({"ci": 95}, "ci = 95"),
        ({"model": "records", "robust": True}, "normal noise only"),
        ({"platform": "abacus"}, "platform 'abacus'"),
    ],
)
def test_what_cannot_be_is_a_usage_error(shipped, options, message):
    with pytest.raises(UsageError, match=message):
        eb.sample_many(shipped, **options)


def test_bounds_are_in_the_program_only_where_a_row_has_some(shipped):
    exact = shipped[2].without_bounds()
    bounded = eb.load_series("imagenet", "alexnet-training")
    assert np.isfinite(bounded.value_low).any()
    for one, censored in ((exact, False), (bounded.where("all"), True)):
        model = many.catalogue.make_model("loglinear", one, "default")
        assert many.lean(model, one).censored is censored
