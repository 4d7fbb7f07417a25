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
from effbayes.inference import chunk, machine_code, programs
from effbayes.models import contract, loglinear

SCRIPT = """
import json, sys
import jax.monitoring
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, _, **labels: compiled.append(event) if "backend_compile" in event else None)
import effbayes as eb
from effbayes import kept, runtime
folder = kept.folder()
if folder is not None:
    runtime.keep_compiled(folder)
fit = eb.sample(eb.load_series("go", "alphago-zero-level"), warmup=50, draws=50)
print(json.dumps({
    "rate": fit.draws["rate"].ravel()[:20].tolist(), "numpyro": "numpyro" in sys.modules,
    "compiled": len(compiled), "xarray": "xarray" in sys.modules, "pandas": "pandas" in sys.modules,
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
    assert first["compiled"] > 0
    assert later["compiled"] == 0
    assert first["rate"] == second["rate"] == later["rate"]
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert not list(folder.rglob("*.part"))

    assert list(folder.rglob(f"*{machine_code.SUFFIX}"))
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
        machine_code._name((repr(chunk.Kernel(**kernel)),), ())
        for kernel in (fields, fields | change)
    ]
    assert names[0] != names[1]


def test_chains_in_lock_step_give_the_same_posterior(alexnet):
    """The plan of an accelerator, on the CPU: the same draws but for rounding, at the start."""
    series = alexnet
    model = loglinear.make_model(series, loglinear.Priors(), robust=False)
    data = contract.data_from_series(series)._asdict()
    with runtime.on_device("cpu") as device:
        found = []
        for vectorized in (False, True):
            kernel = chunk.Kernel(model, 100, 0.95, 10, vectorized)
            plan = runtime.plan(device)._replace(vectorized=vectorized)
            made = programs.program(kernel, 2, data, plan=plan)
            root = np.array([0, 1], np.uint32)
            numbers = [np.arange(2)] if vectorized else [0, 1]
            ran = [made.advance(root, made.before_start(each), data)[1] for each in numbers]
            rates = [np.asarray(collected["values"]["rate"]) for collected in ran]
            found.append((rates[0] if vectorized else np.stack(rates))[:, :5])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_threads_change_no_result(alexnet, monkeypatch):
    rates = []
    for threads in (1, 3):
        monkeypatch.setattr(runtime, "cores", lambda threads=threads: threads)
        rates.append(eb.sample(alexnet, chains=3, warmup=100, draws=100).draws["rate"])
    np.testing.assert_array_equal(*rates)


def test_a_program_that_cannot_be_loaded_is_made_anew(alexnet, tmp_path, monkeypatch):
    """Machine code of another version of JAX, say, whole as it is, or none that can be had."""
    plan = runtime.plan
    monkeypatch.setattr(runtime, "plan", lambda device: plan(device)._replace(folder=tmp_path))
    settings = {"chains": 2, "warmup": 50, "draws": 60, "max_tree_depth": 9}
    expected = eb.sample(alexnet, **settings).draws["rate"]
    [path] = tmp_path.glob("*" + machine_code.SUFFIX)
    header, _, _ = kept.read(path).partition(b"\n")
    kept.write(path, header + b"\nnot machine code")
    programs._program.cache_clear()
    np.testing.assert_array_equal(eb.sample(alexnet, **settings).draws["rate"], expected)
    assert kept.read(path) != header + b"\nnot machine code"

    programs._program.cache_clear()
    np.testing.assert_array_equal(eb.sample(alexnet, **settings).draws["rate"], expected)


def test_chain_i_does_not_depend_on_the_number_of_chains(alexnet):
    two = eb.sample(alexnet, chains=2, warmup=100, draws=100)
    three = eb.sample(alexnet, chains=3, warmup=100, draws=100)
    np.testing.assert_array_equal(two.draws["rate"], three.draws["rate"][:2])
    np.testing.assert_array_equal(two.noise, three.noise[:2])
