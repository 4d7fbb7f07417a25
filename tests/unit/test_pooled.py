"""Several series pooled: what is reported of the population and of each member, and kept."""

from __future__ import annotations

import json

import arviz
import numpy as np
import pytest
import xarray as xr

import effbayes as eb
from effbayes import store, tree
from effbayes.models import loglinear
from effbayes.pooled import load_pooled, sample_pooled

IDS = ["translation/seq2seq", "translation/gnmt", "imagenet/alexnet-training"]


@pytest.fixture(scope="module")
def series():
    return [eb.load_series(*name.split("/")) for name in IDS]


@pytest.fixture(scope="module")
def pooled(series):
    return sample_pooled(series, seed=1)


@pytest.fixture(scope="module")
def saved(pooled, tmp_path_factory):
    path = tmp_path_factory.mktemp("pooled") / "run.nc"
    pooled.save(path)
    return path


def test_the_run_is_ok_and_every_quantity_is_judged(pooled):
    assert str(pooled.verdict) == "ok"
    judged = set(pooled.diagnostics.quantities)
    assert {"doubling_time_typical", "doubling_time_new", "tau", "s"} < judged
    for name in IDS:
        assert {f"{each} of {name}" for each in ("rate", "alpha", "sigma")} < judged
        assert f"predictive factor of {name}" in judged


def test_estimates_of_the_population(pooled):
    typical, new = pooled.typical(0.9), pooled.new_domain(0.9)
    mu = pooled.population["mu"]
    np.testing.assert_allclose(typical[:3], np.exp(np.quantile(mu, [0.5, 0.05, 0.95])), rtol=1e-3)
    assert new.low < typical.low < typical.median < typical.high < new.high
    with pytest.raises(eb.UsageError):
        pooled.typical(1.5)


def test_members_are_analyses(pooled, series):
    assert list(pooled.members) == IDS
    for each, one in zip(series, pooled.members.values(), strict=True):
        assert isinstance(one, eb.Analysis)
        assert one.series is each
        assert one.settings["model"] == "hierarchical"
        assert one.verdict.ok
        np.testing.assert_allclose(12.0 / one.draws["rate"], one.draws["doubling_time"])
        shown = one.doubling_time()
        assert shown.low < shown.median < shown.high
        start, end = each.span
        for kind in ("trend", "predictive", "observed"):
            assert one.efficiency_factor(start, end, kind).median > 1.0
        assert one.noise.shape == (4, 1000, 2)
        assert one.plot() is not None


def test_pooling_draws_two_rows_towards_the_others(pooled, series):
    """Alone, two rows admit almost any doubling time; pooled, far fewer."""
    alone = eb.sample(series[1], seed=1).doubling_time()
    together = pooled.members[IDS[1]].doubling_time()
    assert together.high < 0.8 * alone.high


def test_notes_say_that_the_series_was_pooled(pooled):
    two, six = pooled.members[IDS[1]].notes, pooled.members[IDS[2]].notes
    assert all("2 other series" in notes[0] for notes in (two, six))
    assert any("known from the other series" in note for note in two)
    assert any("rests on the population" in note for note in two)
    assert not any("from its prior alone" in note for note in two)
    assert len(six) == 1


def test_summary_is_strict_json(pooled):
    shown = json.loads(json.dumps(pooled.summary(0.9), allow_nan=False))
    assert shown["schema"] == "effbayes.summaries/1"
    assert shown["model"] == "hierarchical"
    population = shown["population"]
    assert set(population) == {
        "doubling_time_typical_months",
        "doubling_time_new_months",
        "tau",
        "s",
    }
    assert population["tau"]["ess_bulk"] == pytest.approx(
        pooled.diagnostics.quantities["tau"].ess_bulk
    )
    assert [f"{each['domain']}/{each['series']}" for each in shown["summaries"]] == IDS
    assert shown["diagnostics"]["verdict"] == "ok"
    assert (
        shown["summaries"][0]["provenance"]["pooled_sha256"] == (shown["provenance"]["data_sha256"])
    )
    assert shown["sampler"]["seed"] == 1


def test_the_tree_has_the_groups_of_arviz(pooled):
    run = pooled.posterior
    assert run["posterior"]["rate"].dims == ("chain", "draw", "series")
    assert run["posterior"]["mu"].dims == ("chain", "draw")
    assert list(run["posterior"]["series"].values) == IDS
    rows = [one.series.n_obs for one in pooled.members.values()]
    joined = run["log_likelihood"]["y"]
    assert joined.shape == (4, 1000, sum(rows))
    of = run["log_likelihood"]["series_of_obs"].to_numpy()
    for name, one in pooled.members.items():
        own = one.posterior["log_likelihood"]["y"]
        np.testing.assert_array_equal(joined.to_numpy()[..., of == name], own)
        np.testing.assert_array_equal(run["log_likelihood"]["row"].values[of == name], own["obs"])
    assert "effbayes" in run.attrs
    assert np.all(arviz.ess(run)["tau"] > 400)


def test_round_trip(pooled, saved):
    loaded = load_pooled(saved)
    assert loaded.summary() == pooled.summary()
    assert loaded.summary(0.5, "hdi") == pooled.summary(0.5, "hdi")
    for name, one in pooled.members.items():
        assert loaded.members[name].notes == one.notes
        assert loaded.members[name].series.label == one.series.label
        xr.testing.assert_identical(
            loaded.members[name].posterior["log_likelihood"].to_dataset(),
            one.posterior["log_likelihood"].to_dataset(),
        )
    xr.testing.assert_identical(
        loaded.posterior["posterior"].to_dataset(), pooled.posterior["posterior"].to_dataset()
    )


def test_arviz_reads_the_file_as_it_is(pooled, saved):
    opened = arviz.from_netcdf(saved)
    np.testing.assert_array_equal(opened["posterior"]["mu"], pooled.population["mu"])


def test_a_member_is_saved_alone(pooled, tmp_path):
    one = pooled.members[IDS[1]]
    one.save(tmp_path / "one.nc")
    loaded = eb.load(tmp_path / "one.nc")
    assert loaded.doubling_time() == one.doubling_time()
    assert loaded.settings["pooled"]["series"] == IDS


def test_files_of_another_kind_are_refused(saved, alexnet_fit, tmp_path):
    alone = tmp_path / "alone.nc"
    alexnet_fit.save(alone)
    with pytest.raises(eb.RunFileError, match="a run of one series"):
        load_pooled(alone)
    with pytest.raises(eb.RunFileError, match=r"effbayes\.load_pooled"):
        eb.load(saved)
    body = bytearray(saved.read_bytes())
    body[len(body) // 2] ^= 1
    changed = tmp_path / "changed.nc"
    changed.write_bytes(body)
    with pytest.raises(eb.RunFileError, match="was changed"):
        load_pooled(changed)
    again = load_pooled(saved)
    with pytest.raises(eb.RunFileError, match="exists"):
        again.save(saved)


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"settings": {}, "made_by": {}, "series": []}, "settings.*lacks model"),
        ({"settings": {}, "made_by": {}}, "series"),
        ({"settings": {}, "made_by": {}, "series": 3}, "int"),
    ],
)
def test_a_sealed_file_that_is_no_pooled_run_is_refused(tmp_path, about, why):
    stub = xr.DataTree()
    stub.attrs[tree.ATTRIBUTE] = json.dumps({"schema": tree.POOLED_SCHEMA, **about})
    path = tmp_path / "stub.nc"
    store.save(stub, path)
    with pytest.raises(eb.RunFileError, match=f"not a run that this version reads: .*{why}"):
        load_pooled(path)


def test_draws_that_members_carry_have_units(pooled):
    carried = pooled.members[IDS[0]].posterior["posterior"]
    assert {name: carried[name].attrs["units"] for name in ("mu", "tau", "s")} == {
        "mu": "log of months",
        "tau": "1",
        "s": "doublings",
    }


def test_a_run_that_failed_says_so_for_each_member(series, tmp_path):
    failed = sample_pooled(series, seed=2, warmup=50, draws=20)
    assert not failed.verdict.ok
    for one in failed.members.values():
        assert not one.verdict.ok
        assert one.summary()["diagnostics"]["verdict"] == "not converged"
        assert any(reason.startswith("of the pooled run: ") for reason in one.verdict.reasons)
    failed.save(tmp_path / "failed.nc")
    again = load_pooled(tmp_path / "failed.nc")
    assert [str(one.verdict) for one in again.members.values()] == [
        str(one.verdict) for one in failed.members.values()
    ]


def test_the_seed_and_all_data_decide_the_draws(pooled, series):
    again = sample_pooled(series, seed=1)
    np.testing.assert_array_equal(again.population["mu"], pooled.population["mu"])
    turned = sample_pooled(series[::-1], seed=1)
    assert not np.array_equal(turned.population["mu"], pooled.population["mu"])
    assert turned.made_by["data_sha256"] != pooled.made_by["data_sha256"]
    # Another order is another run of the same posterior: medians within 6 standard errors.
    for name in IDS:
        rates = [np.log(run.members[name].draws["rate"]) for run in (pooled, turned)]
        error = np.hypot(*(rate.std() / 30.0 for rate in rates))
        assert abs(np.median(rates[0]) - np.median(rates[1])) < 6.0 * 1.25 * error


def test_progress_is_reported(series):
    seen = []
    sample_pooled(series, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2000, 2000)


def test_wrong_options(series):
    with pytest.raises(eb.UsageError, match="no sampler setting steps"):
        sample_pooled(series, steps=3)
    with pytest.raises(eb.UsageError, match=r"takes hierarchical\.Priors"):
        sample_pooled(series, prior=loglinear.Priors())
    with pytest.raises(eb.UsageError, match="at least two"):
        sample_pooled(series[:1])
