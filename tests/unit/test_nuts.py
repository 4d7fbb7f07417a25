"""The sampler: compilations, reproducibility, chunks, and starts that cannot fail."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import effbayes as eb
from effbayes import runtime
from effbayes.inference import nuts
from effbayes.models import contract, loglinear

from .conftest import make_series

SHORT = {"warmup": 100, "draws": 100}


def test_a_second_run_of_the_same_shape_compiles_nothing(alexnet, compilations):
    eb.sample(alexnet, **SHORT)
    compilations.clear()
    eb.sample(alexnet, seed=7, **SHORT)
    other = make_series(
        [f"20{10 + i}-03-01" for i in range(8)],
        [9.0, 8.0, 7.5, 3.0, 2.0, 2.0, 1.0, 0.5],
        value_low=np.array([np.nan] * 7 + [0.4]),
    )
    eb.sample(other, seed=8, **SHORT)
    assert list(compilations.names) == []


def test_a_new_shape_compiles_one_program_for_the_chains(compilations):
    n = 40
    series = make_series(
        np.datetime64("2010-01-01") + 50 * np.arange(n),
        np.exp(np.random.default_rng(0).standard_normal(n)),
    )
    eb.sample(series, warmup=120, draws=100)
    assert compilations.names.count("jit(advance)") == 1, compilations.names


def test_same_seed_same_bits(alexnet):
    first = eb.sample(alexnet, seed=3, **SHORT)
    second = eb.sample(alexnet, seed=3, **SHORT)
    for name in first.draws:
        np.testing.assert_array_equal(first.draws[name], second.draws[name])
    np.testing.assert_array_equal(first.noise, second.noise)
    third = eb.sample(alexnet, seed=4, **SHORT)
    assert not np.array_equal(first.draws["rate"], third.draws["rate"])


def test_more_draws_continue_the_same_chains(alexnet):
    short = eb.sample(alexnet, seed=3, warmup=100, draws=70)
    long = eb.sample(alexnet, seed=3, warmup=100, draws=230)
    np.testing.assert_array_equal(short.draws["rate"], long.draws["rate"][:, :70])


def test_warmup_that_ends_within_a_chunk(alexnet):
    fit = eb.sample(alexnet, seed=3, warmup=130, draws=90)
    assert fit.draws["rate"].shape == (4, 90)
    assert len(np.unique(fit.stats["step_size"][0])) == 1  # all kept draws are adapted ones


def test_progress_is_reported_after_every_chunk(alexnet):
    seen = []
    eb.sample(
        alexnet, warmup=150, draws=120, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(100, 270), (200, 270), (270, 270)]


def test_double_precision_leaves_the_callers_setting_alone(alexnet_fit):
    assert alexnet_fit.draws["rate"].dtype == np.float64
    assert not jax.config.jax_enable_x64
    assert jax.numpy.zeros(()).dtype == np.float32


def test_the_callers_choice_of_random_numbers_changes_nothing(alexnet):
    fit = eb.sample(alexnet, seed=3, warmup=100, draws=70)
    with jax.default_prng_impl("rbg"):
        again = eb.sample(alexnet, seed=3, warmup=100, draws=70)
        groups = again.posterior
    np.testing.assert_array_equal(again.draws["rate"], fit.draws["rate"])
    np.testing.assert_array_equal(groups["prior"]["rate"], fit.posterior["prior"]["rate"])


@given(
    values=st.lists(st.floats(1e-300, 1e300), min_size=2, max_size=8),
    gaps=st.lists(st.integers(0, 40_000), min_size=8, max_size=8),
    sd=st.floats(0.0, 50.0),
    date_sd=st.floats(0.0, 5000.0),
    kind=st.sampled_from(["default", "signed"]),
    bounded=st.booleans(),
    robust=st.booleans(),
)
def test_initial_values_cannot_fail(values, gaps, sd, date_sd, kind, bounded, robust):
    n = len(values)
    days = np.cumsum(gaps[:n])
    days[-1] += days[0] == days[-1]
    low = np.full(n, np.nan)
    if bounded:
        low[0] = values[0] / 2
    series = make_series(
        np.datetime64("1900-01-01") + days,
        values,
        value_low=low,
        value_sd=np.full(n, sd),
        date_sd_days=np.full(n, date_sd),
    )
    model = loglinear.LogLinear(loglinear.Priors(kind=kind), robust=robust, censored=bounded)
    with runtime.on_device("cpu"):
        data = jax.tree.map(jax.numpy.asarray, contract.data_from_series(series))
        both = _value_and_grad(model)
        for seed in range(3):
            start = model.initial(jax.random.key(seed), data, far=jax.numpy.int32(seed % 2))
            value, slope = both(start, data)
            assert np.isfinite(value)
            assert np.all(np.isfinite(slope))


_CACHE = {}


def _value_and_grad(model):
    if model not in _CACHE:
        _CACHE[model] = jax.jit(jax.value_and_grad(model.log_density))
    return _CACHE[model]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("warmup", 0), ("draws", 0), ("chains", 1), ("target_accept", 1.0), ("max_tree_depth", 0)],
)
def test_settings_out_of_range(alexnet, setting, value):
    with pytest.raises(eb.UsageError, match=setting):
        eb.sample(alexnet, **{setting: value})


def test_all_faults_of_the_settings_at_once():
    with pytest.raises(eb.UsageError, match=r"draws = 0.*chains = 1"):
        nuts.SamplerSettings(draws=0, chains=1)
