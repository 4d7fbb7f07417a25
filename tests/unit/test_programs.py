"""Programs kept across processes: used, made anew when damaged, and never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import effbayes as eb
from effbayes import kept, runtime
from effbayes.inference import chunk, programs
from effbayes.models import contract, loglinear

SCRIPT = """
import json, sys
import jax.monitoring
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, _, **labels: compiled.append(event) if "backend_compile" in event else None)
hits = []
jax.monitoring.register_event_listener(
    lambda event, **labels: hits.append(event) if "cache_hits" in event else None)
import effbayes as eb
from effbayes import runtime
folder = runtime.cache_folder()
if folder is not None:
    runtime.keep_compiled(folder)
fit = eb.sample(eb.load_series("go", "alphago-zero-level"), warmup=50, draws=50)
print(json.dumps({
    "rate": fit.draws["rate"].ravel()[:20].tolist(), "numpyro": "numpyro" in sys.modules,
    "hits": len(hits), "xarray": "xarray" in sys.modules, "pandas": "pandas" in sys.modules,
}))
"""


def start(folder, **environment):
    clean = {k: v for k, v in os.environ.items() if k != "EFFBAYES_NO_CACHE"}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env=clean | {"EFFBAYES_CACHE": str(folder), **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def result(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out)


def test_a_later_process_neither_traces_nor_compiles(tmp_path):
    folder = tmp_path / "cache"
    together = [start(folder), start(folder)]  # two at once must not disturb each other
    first, second = map(result, together)
    later = result(start(folder))
    assert first["numpyro"]
    assert not later["numpyro"]
    assert not later["pandas"]
    assert not later["xarray"]
    assert later["hits"] >= 1
    assert first["rate"] == second["rate"] == later["rate"]
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert not list(folder.rglob("*.part"))

    for path in (p for p in folder.rglob("*") if p.is_file()):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert result(start(folder))["rate"] == first["rate"]

    off = result(start(folder, EFFBAYES_NO_CACHE="1"))
    assert off["numpyro"]
    assert off["rate"] == first["rate"]


def test_a_folder_that_cannot_be_used_keeps_nothing(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    runtime.keep_compiled(tmp_path / "file" / "cache")
    assert runtime.kept_programs() is None
    kept.write(tmp_path / "file" / "x.program", b"a program")
    assert (tmp_path / "file").read_text() == "not a folder"


def test_what_is_read_is_what_was_written(tmp_path):
    path = tmp_path / "x.program"
    assert kept.read(path) is None
    kept.write(path, b"a program")
    assert kept.read(path) == b"a program"
    for changed in (b"", path.read_bytes()[:-1], b"A" + path.read_bytes()[1:]):
        path.write_bytes(changed)
        assert kept.read(path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"model": loglinear.LogLinear(robust=True)},
        {"model": loglinear.LogLinear(loglinear.Priors(sigma_scale=2.0))},
        {"warmup": 200},
        {"target_accept": 0.8},
        {"vectorized": True},
    ],
)
def test_another_kernel_has_another_name(change):
    fields = {
        "model": loglinear.LogLinear(), "warmup": 100, "target_accept": 0.95,
        "max_tree_depth": 10, "vectorized": False,
    }  # fmt: skip
    names = [
        programs._name(chunk.Kernel(**kernel), 4, (), ()) for kernel in (fields, fields | change)
    ]
    assert names[0] != names[1]


def test_chains_in_lock_step_give_the_same_posterior(alexnet):
    """The plan of an accelerator, on the CPU: the same draws but for rounding, at the start."""
    series = alexnet
    model = loglinear.make_model(series, loglinear.Priors(), robust=False)
    data = contract.data_from_series(series)._asdict()
    with runtime.on_device("cpu"):
        found = []
        for vectorized in (False, True):
            kernel = chunk.Kernel(model, 100, 0.95, 10, vectorized)
            made = programs.program(kernel, 2, data, plan=runtime.Plan((), vectorized, None))
            chains = made.chains_before_start(2)
            _, collected = made.advance(np.array([0, 1], np.uint32), chains, data)
            found.append(np.asarray(collected["values"]["rate"])[:, :5])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_chain_i_does_not_depend_on_the_number_of_chains(alexnet):
    two = eb.sample(alexnet, chains=2, warmup=100, draws=100)
    three = eb.sample(alexnet, chains=3, warmup=100, draws=100)
    np.testing.assert_array_equal(two.draws["rate"], three.draws["rate"][:2])
    np.testing.assert_array_equal(two.noise, three.noise[:2])
