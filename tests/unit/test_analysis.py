"""The library's face: `sample`, `Analysis`, its tree and its pictures."""

from __future__ import annotations

import json

import arviz
import numpy as np
import pytest

import effbayes as eb
from effbayes.posterior import BEYOND_NUMBERS


def test_the_claim_within_its_posterior(alexnet_fit):
    assert alexnet_fit.verdict.ok
    time = alexnet_fit.doubling_time()
    assert 15.0 < time.median < 17.0
    assert alexnet_fit.prob_faster_than("moore") > 0.95
    assert alexnet_fit.prob_faster_than(16.0) == pytest.approx(
        float(np.mean(alexnet_fit.draws["rate"] > 0.75))
    )


def test_units_of_the_doubling_time(alexnet_fit):
    months, years, days = (alexnet_fit.doubling_time(u) for u in ("months", "years", "days"))
    assert years.median == pytest.approx(months.median / 12)
    assert days.high == pytest.approx(months.high * 365.25 / 12)
    with pytest.raises(eb.UsageError, match="months, years, days"):
        alexnet_fit.doubling_time("weeks")


def test_factors_by_date_and_label(alexnet_fit):
    by_label = alexnet_fit.efficiency_factor("AlexNet", "EfficientNet-b0")
    by_date = alexnet_fit.efficiency_factor("2012-06-01", "2019-05-28")
    assert by_label == by_date
    back = alexnet_fit.efficiency_factor("2019-05-28", "2012-06-01")
    assert back.low == pytest.approx(1 / by_date.high, rel=1e-3)
    assert alexnet_fit.efficiency_factor("2012-06-01", "2013-06-01", "observed").median is None
    predictive = alexnet_fit.efficiency_factor("2012-06-01", "2019-05-28", "predictive")
    assert predictive.low < by_date.low < by_date.high < predictive.high


def test_every_question_takes_the_same_dates(alexnet_fit):
    assert alexnet_fit.level("2030-06") == alexnet_fit.forecast(at="2030-06").trend
    assert alexnet_fit.efficiency_factor("2012", "2019-05") == alexnet_fit.efficiency_factor(
        "2012-07-02", "2019-05-16"
    )
    dense = alexnet_fit.level("2015-12-31", kind="hdi")
    assert dense == alexnet_fit.forecast(at="2015-12-31", kind="hdi").trend
    assert alexnet_fit.level("9999-12-31").note == BEYOND_NUMBERS


@pytest.mark.parametrize("text", ["no such row", "2019-13-01", "", "20190528", "2019-W05-1"])
def test_dates_that_are_none(alexnet_fit, text):
    with pytest.raises(
        eb.UsageError, match="and no row of imagenet/alexnet-training has that label"
    ):
        alexnet_fit.efficiency_factor(text, "2019-05-28")


def test_unknown_names_list_the_known(alexnet, alexnet_fit):
    with pytest.raises(eb.UsageError, match="moore"):
        alexnet_fit.prob_faster_than("huang")
    with pytest.raises(eb.UsageError, match="trend, predictive, observed"):
        alexnet_fit.efficiency_factor("2012-06-01", "2019-05-28", "guess")
    with pytest.raises(eb.UsageError, match="loglinear"):
        eb.sample(alexnet, model="spline")
    with pytest.raises(eb.UsageError, match="cores"):
        eb.sample(alexnet, cores=4)
    with pytest.raises(eb.UsageError, match="seed"):
        eb.sample(alexnet, seed=-1)
    with pytest.raises(eb.UsageError, match="cpu, gpu, tpu"):
        eb.sample(alexnet, platform="abacus")
    with pytest.raises(eb.UsageError, match="> 0"):
        alexnet_fit.prob_faster_than(-3.0)


def test_a_device_that_is_not_here(alexnet):
    with pytest.raises(eb.DeviceError, match="no tpu device"):
        eb.sample(alexnet, platform="tpu")


def test_level_is_the_trend_in_the_series_unit(alexnet_fit):
    found = alexnet_fit.level("2015-12-31")
    assert found.low < found.median < found.high
    assert 0.2 < found.median < 0.9


def test_summary_is_strict_json(alexnet_fit, signed_fit):
    for fit in (alexnet_fit, signed_fit):
        text = json.dumps(fit.summary(), allow_nan=False)
        assert json.loads(text) == fit.summary()


def test_an_interval_that_includes_no_progress(signed_fit):
    time = signed_fit.summary()["doubling_time_months"]
    assert time["high"] is None
    assert "no progress" in time["note"]
    assert 0.5 < signed_fit.summary()["prob_progress"] < 0.95
    assert "doubling_time" not in signed_fit.draws


def test_two_points_say_what_the_prior_contributes():
    fit = eb.sample(eb.load_series("imagenet", "resnet50-training"))
    assert fit.verdict.ok
    assert any("prior alone" in note for note in fit.summary()["notes"])


def test_the_tree_has_arvizs_groups(alexnet_fit):
    tree = alexnet_fit.posterior
    assert {
        "posterior",
        "sample_stats",
        "log_likelihood",
        "log_prior",
        "prior",
        "prior_predictive",
        "posterior_predictive",
        "observed_data",
        "constant_data",
    } <= set(tree.children)
    assert tree["posterior"]["rate"].dims == ("chain", "draw")
    assert tree["log_likelihood"]["y"].dims == ("chain", "draw", "obs")
    assert tree["constant_data"]["label"].to_numpy()[0] == "AlexNet"
    assert tree["posterior"]["rate"].attrs["units"] == "doublings per year"
    assert {"diverging", "energy", "lp", "tree_depth", "n_steps", "step_size"} <= set(
        tree["sample_stats"].data_vars
    )


def test_arviz_agrees_on_what_it_is_given(alexnet_fit):
    table = arviz.summary(alexnet_fit.posterior, round_to="none")
    figures = alexnet_fit.diagnostics.quantities
    for name in ("rate", "alpha", "sigma"):
        assert float(table.loc[name, "r_hat"]) == pytest.approx(figures[name].r_hat, rel=1e-9)
        assert float(table.loc[name, "ess_bulk"]) == pytest.approx(figures[name].ess_bulk, rel=1e-9)
        tail = arviz.ess(alexnet_fit.posterior, var_names=name, method="tail", prob=(0.05, 0.95))
        assert float(tail[name]) == pytest.approx(figures[name].ess_tail, rel=1e-9)
    failed, _ = arviz.diagnose(
        alexnet_fit.posterior, show_diagnostics=False, return_diagnostics=True
    )
    assert not failed


def test_pointwise_log_likelihood_sums_to_the_joint(alexnet_fit):
    tree = alexnet_fit.posterior
    assert np.all(np.isfinite(tree["log_likelihood"]["y"]))
    assert np.all(np.isfinite(tree["log_prior"]["log_prior"]))


def test_a_reference_run_has_no_prior_groups(alexnet):
    fit = eb.sample(alexnet.without_bounds(), prior="reference")
    assert "prior" not in fit.posterior.children
    assert fit.verdict.ok


def test_pointwise_groups_are_left_out_where_they_would_fill_the_memory(alexnet, monkeypatch):
    monkeypatch.setattr("effbayes.fitting.POINTWISE_LIMIT", 100)
    fit = eb.sample(alexnet, warmup=100, draws=100)
    assert "log_likelihood" not in fit.posterior.children
    assert "posterior" in fit.posterior.children


@pytest.mark.parametrize("domain", eb.domain_names())
def test_defaults_earn_ok_on_every_shipped_series(domain):
    for series in eb.load_domain(domain).values():
        fit = eb.sample(series)
        assert fit.verdict.ok, f"{series.id}: {fit.verdict}"
