"""Threads that trace models at once do not meet on NumPyro's one stack of handlers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import jax
import numpyro
import pytest

from effbayes import runtime
from effbayes.models import catalogue, contract

THREADS = 3


@pytest.mark.parametrize("name", ["loglinear", "changepoint"])
def test_models_are_traced_by_several_threads_at_once(alexnet, monkeypatch, name):
    """A pause at every site lets the other threads in, as chance does in a long run."""
    sample = numpyro.sample

    def slow(*arguments, **options):
        time.sleep(0.01)
        return sample(*arguments, **options)

    model = catalogue.make_model(name, alexnet, "default")
    data = contract.data_from_series(alexnet)
    key = runtime.split_key(1)["prior"]
    with runtime.on_device("cpu"):
        values = jax.jit(model.prior_draw)(key, data)
        alone = float(jax.jit(model.log_prior)(values, data))
    monkeypatch.setattr(numpyro, "sample", slow)
    together = Barrier(THREADS)

    def trace(_):
        together.wait()
        with runtime.on_device("cpu"):
            draw = lambda *each: model.prior_draw(*each)  # noqa: E731, PLW0108 - traced anew
            density = lambda *each: model.log_prior(*each)  # noqa: E731, PLW0108 - likewise
            return float(jax.jit(density)(jax.jit(draw)(key, data), data))

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(trace, range(THREADS)))
    assert found == pytest.approx([alone] * THREADS)
