"""How long a first answer takes: whole processes, side by side, in one run.

    uv run --group bench python benchmarks/cold_start.py --out benchmarks/results/cold_start.json

Every round starts each program once, in turn, so that what else the machine does falls on all of
them alike; ratios are of medians. Peers that are not installed are left out and named.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shared import installed, machine, write

HERE = Path(__file__).resolve().parent
ALEXNET = ["sample", "--domain", "imagenet", "--series", "alexnet-training", "--json"]
OWN_TABLE = HERE / "peers" / "own_table.csv"
EFFBAYES = [sys.executable, "-m", "effbayes"]
PEERS = {
    "plain script (NumPyro + ArviZ)": ("numpyro_script.py", ()),
    "PyMC": ("pymc_script.py", ("pymc",)),
    "PyMC + nutpie": ("nutpie_script.py", ("pymc", "nutpie")),
    "Bambi": ("bambi_script.py", ("bambi",)),
    "PyStan": ("pystan_script.py", ("pystan",)),
}
PACKAGES = ("effbayes", "jax", "numpyro", "arviz", "pymc", "nutpie", "bambi", "pystan")
SLOW_PEERS = tuple(PEERS)[1:]
PARTS = """
import json, sys, time
t = [time.perf_counter()]
def lap(name, parts={}):
    t.append(time.perf_counter())
    parts[name] = round(t[-1] - t[-2], 3)
    return parts
import jax, jax.numpy
lap("import jax")
import effbayes as eb
from effbayes import kept, runtime
if sys.argv[1] == "cold":
    import numpyro.infer.hmc, numpyro.distributions
from effbayes import fitting
from effbayes.inference import chunk, nuts, programs
from effbayes.models import contract, loglinear
lap("import the rest")
import numpy as np
series = eb.load_series("imagenet", "alexnet-training")
model = loglinear.make_model(series, loglinear.Priors(), robust=False)
data = contract.data_from_series(series)
lap("read the table")
if sys.argv[1] == "warm":
    runtime.keep_compiled(kept.folder())
settings = nuts.SamplerSettings()
with runtime.on_device("cpu") as device:
    plan = runtime.plan(device)
    lap("start the device")
    kernel = chunk.Kernel(model, settings.warmup, settings.target_accept, 10, False)
    if sys.argv[1] == "cold":
        shapes = {k: jax.ShapeDtypeStruct(np.shape(v), np.asarray(v).dtype)
                  for k, v in data._asdict().items()}
        arguments = jax.ShapeDtypeStruct((2,), "uint32"), kernel.unborn(4, shapes), shapes
        lowered = jax.jit(kernel.advance, keep_unused=True).lower(*arguments)
        lap("trace and lower")
        lowered.compile()
        lap("compile")
        programs.program(kernel, 4, data._asdict(), plan=plan)
        t.append(time.perf_counter())  # the same once more, for what follows
    else:
        programs.program(kernel, 4, data._asdict(), plan=plan)
        lap("load the machine code")
    root = runtime.key_bits(0)
    nuts.run_nuts(model, data, root, settings, plan=plan)
    lap("sample")
fit = eb.sample(series)
t.append(time.perf_counter())
fit.summary()
print(json.dumps(lap("summarize")))
"""


def main() -> None:
    """Measure, print a table, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument(
        "--peer-runs", type=int, default=3, help="rounds of slow peers and of parts"
    )
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        programs, missing = _programs(Path(folder))
        figures = _measure(programs, arguments.runs, arguments.peer_runs, Path(folder))
        parts = _parts(Path(folder), arguments.peer_runs)
    result = {
        "machine": machine(PACKAGES),
        "runs": arguments.runs,
        "runs of the slow peers": arguments.peer_runs,
        "not installed": missing,
        "seconds": {name: _spread(each["seconds"]) for name, each in figures.items()},
        "peak_mib": {name: _spread(each["mib"]) for name, each in figures.items()},
        "parts_of_a_run_s": parts,
    }
    _print(result)
    write(arguments.out, result)


def _programs(folder: Path) -> tuple[dict, list[str]]:
    """Commands and environments by name; the warm ones share a cache that is filled here."""
    cold, warm = {"EFFBAYES_NO_CACHE": "1"}, {"EFFBAYES_CACHE": str(folder / "cache")}
    _run([*EFFBAYES, *ALEXNET], warm)
    programs = {}
    missing = []
    for name, (script, packages) in PEERS.items():
        if all(map(installed, packages)):
            programs[name] = ([sys.executable, str(HERE / "peers" / script)], {})
        else:
            missing.append(name)
    bare = [sys.executable, "-c", "import jax; jax.numpy.ones(3).block_until_ready()"]
    programs |= {
        "bare import of jax": (bare, {}),
        "effbayes, cold": ([*EFFBAYES, *ALEXNET], cold),
        "effbayes, warm": ([*EFFBAYES, *ALEXNET], warm),
        "effbayes, warm, other seed": ([*EFFBAYES, *ALEXNET, "--seed", "7"], warm),
        "effbayes, warm, other interval": ([*EFFBAYES, *ALEXNET, "--ci", "0.8"], warm),
        "effbayes, warm, other table": (
            [*EFFBAYES, "sample", "--data", str(OWN_TABLE), "--json"],
            warm,
        ),
        "effbayes, cold, whole domain": ([*EFFBAYES, "sample", "--domain", "imagenet"], cold),
        "effbayes, warm, whole domain": ([*EFFBAYES, "sample", "--domain", "imagenet"], warm),
        "effbayes --help": ([*EFFBAYES, "--help"], {}),
        "effbayes --version": ([*EFFBAYES, "--version"], {}),
        "effbayes domains": ([*EFFBAYES, "domains"], {}),
        "effbayes validate": ([*EFFBAYES, "validate", str(OWN_TABLE)], {}),
    }
    return programs, missing


def _measure(programs: dict, runs: int, peer_runs: int, folder: Path) -> dict:
    figures = {name: {"seconds": [], "mib": []} for name in programs}
    for round_ in range(runs):
        for name, (command, environment) in programs.items():
            if round_ >= peer_runs and name in SLOW_PEERS:
                continue
            fresh = {}
            if name in PEERS:
                # Peers keep compiled models in the user's cache: each start has an empty one.
                empty = tempfile.mkdtemp(dir=folder)
                fresh = {"XDG_CACHE_HOME": empty, "PYTENSOR_FLAGS": f"base_compiledir={empty}"}
            start = time.perf_counter()
            child = subprocess.Popen(
                command,
                env=_environment(environment | fresh),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _, status, used = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - start
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode != 0:
                raise SystemExit(f"{name} ended with {child.returncode}")
            figures[name]["seconds"].append(seconds)
            figures[name]["mib"].append(_mib(used))
    return figures


def _parts(folder: Path, runs: int) -> dict[str, dict[str, float]]:
    """Where a run's time goes, cold and warm: medians of processes that time themselves."""
    environments = {
        "cold": {"EFFBAYES_NO_CACHE": "1"},
        "warm": {"EFFBAYES_CACHE": str(folder / "cache")},
    }
    found = {}
    for kind, environment in environments.items():
        command = [sys.executable, "-c", PARTS, kind]
        laps = [json.loads(_run(command, environment).stdout) for _ in range(runs)]
        found[kind] = {
            name: round(statistics.median(lap[name] for lap in laps), 3) for name in laps[0]
        }
    return found


def _mib(used: resource.struct_rusage) -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return used.ru_maxrss * unit / 2**20


def _environment(more: dict[str, str]) -> dict[str, str]:
    # Bytecode is written, as it is for every user: without it each import compiles anew.
    ours = ("EFFBAYES_", "JAX_", "PYTHONDONTWRITEBYTECODE")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return clean | {"JAX_PLATFORMS": "cpu"} | more


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=_environment(environment), check=True, capture_output=True, text=True
    )


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
    }


def _print(result: dict) -> None:
    script = next(iter(PEERS))
    bare = result["seconds"]["bare import of jax"]["median"]
    peer = result["seconds"][script]["median"]
    peak = result["peak_mib"][script]["median"]
    print("| program | median s | min to max | / script | / bare jax | peak memory / script |")
    print("|---|---|---|---|---|---|")
    for name, s in result["seconds"].items():
        memory = result["peak_mib"][name]["median"] / peak
        print(
            f"| {name} | {s['median']:.2f} | {s['min']:.2f} to {s['max']:.2f} "
            f"| {s['median'] / peer:.2f} | {s['median'] / bare:.2f} | {memory:.2f} |"
        )
    parts = result["parts_of_a_run_s"]
    print("\n| part | cold s | warm s |\n|---|---|---|")
    for name in dict.fromkeys([*parts["cold"], *parts["warm"]]):
        cells = [parts[kind].get(name) for kind in ("cold", "warm")]
        print(f"| {name} |", " | ".join("" if x is None else f"{x:.2f}" for x in cells), "|")
    if result["not installed"]:
        print("Not installed:", ", ".join(result["not installed"]))


if __name__ == "__main__":
    main()
