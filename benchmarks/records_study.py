"""What is gained by knowing that only records were reported: `records` beside `loglinear`.

    uv run python benchmarks/records_study.py --out benchmarks/results/records_study.json

Two worlds with a rate of 0.75 doublings a year and a noise of one doubling:

* *kept*: 40 systems at random dates over seven years, of which the record-setting ones are kept.
  Given its date and the record before it, a record's value is what the model says; when records
  fall, and how many, depends on the trend too, which the model does not use.
* *fixed*: nine dates evenly over seven years, at each of which systems are tried until one sets a
  record: the model is exactly right.

Both models are fitted to the same rows, with the default prior. The truth is fixed, not drawn from
the prior, so that coverage need not be 95 % even for a model that is right.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

# `scripts` and `reliability` run this file from elsewhere.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from shared import machine, write

import effbayes as eb
from effbayes import runtime
from effbayes.diagnostics import diagnose
from effbayes.inference.nuts import SamplerSettings, run_nuts
from effbayes.models import loglinear, records
from effbayes.models.contract import Data, Model, data_from_series

RATE, SIGMA, YEARS, SYSTEMS, RECORDS = 0.75, 1.0, 7.0, 40, 9
ROWS = 32
"""Every data set is padded to this, so that each model is compiled once."""
MODELS: dict[str, Model] = {
    "records": records.Records(censored=False),
    "loglinear": loglinear.LogLinear(censored=False),
}
START = np.datetime64("2012-01-01")


def main() -> None:
    """Simulate, fit, print a table, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=200, help="data sets in each world")
    parser.add_argument("--draws", type=int, default=500, help="kept of each of four chains")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    settings = SamplerSettings(warmup=500, draws=arguments.draws)
    began = time.perf_counter()
    worlds = {}
    for number, (name, simulate) in enumerate({"kept": kept, "fixed": fixed}.items()):
        rng = np.random.default_rng([arguments.seed, number])
        tables = [simulate(rng) for _ in range(arguments.sets)]
        worlds[name] = {
            "rows": _spread([len(y) for _, y in tables]),
            "models": {model: study(model, tables, settings, arguments.seed) for model in MODELS},
        }
    result = {
        "truth": {"rate": RATE, "sigma": SIGMA, "years": YEARS},
        "sets": arguments.sets,
        "sampler": {"chains": settings.chains, "warmup": settings.warmup, "draws": settings.draws},
        "seed": arguments.seed,
        "seconds": round(time.perf_counter() - began, 1),
        "worlds": worlds,
        "machine": machine(("effbayes", "jax", "numpyro", "numpy")),
    }
    show(result)
    write(arguments.out, result)


def kept(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Days and log2 costs of the record-setting systems among all."""
    while True:
        days = np.sort(rng.choice(round(365.25 * YEARS), SYSTEMS, replace=False))
        y = -RATE * days / 365.25 + SIGMA * rng.normal(size=SYSTEMS)
        before = np.concatenate([[np.inf], np.minimum.accumulate(y)[:-1]])
        if 3 <= (y < before).sum() <= ROWS:
            return days[y < before], y[y < before]


def fixed(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Days and log2 costs of the first system at each date that beats the record."""
    days = np.round(np.linspace(0.0, 365.25 * YEARS, RECORDS)).astype(int)
    y = np.empty(RECORDS)
    record = np.inf
    for i, mean in enumerate(-RATE * days / 365.25):
        below = special.log_ndtr((record - mean) / SIGMA) + np.log(rng.uniform())
        record = y[i] = mean + SIGMA * special.ndtri_exp(below)
    return days, y


def study(name: str, tables: list, settings: SamplerSettings, seed: int) -> dict[str, float]:
    """Fit one model to every table; figures of the rate in doublings per year."""
    model = MODELS[name]
    quantiles, failed = [], 0
    with runtime.on_device("cpu") as device:
        plan = runtime.plan(device)
        for k, (days, y) in enumerate(tables):
            # The seed in the upper half, the number of the table in the lower: no two are alike.
            root = runtime.key_bits(runtime.stream(k, f"{seed << 32:016x}"))
            run = run_nuts(model, padded(days, y), root, settings, plan=plan)
            failed += not diagnose({"rate": run.values["rate"]}, run.stats).ok
            quantiles.append(np.quantile(run.values["rate"], [0.025, 0.5, 0.975]))
    low, median, high = np.array(quantiles).T
    covered = (low <= RATE) & (high >= RATE)
    n = len(tables)
    return {
        "bias": float(np.mean(median) - RATE),
        "bias_se": float(np.std(median, ddof=1) / np.sqrt(n)),
        "rmse": float(np.sqrt(np.mean((median - RATE) ** 2))),
        "coverage": float(np.mean(covered)),
        "coverage_se": float(np.sqrt(np.mean(covered) * np.mean(~covered) / n)),
        "too_low": float(np.mean(high < RATE)),
        "too_high": float(np.mean(low > RATE)),
        "mean_width": float(np.mean(high - low)),
        "not_converged": failed,
    }


def padded(days: np.ndarray, y: np.ndarray) -> Data:
    """A table as arrays of `ROWS` rows."""
    table = pd.DataFrame({"date": START + days, "value": 2.0**y})
    data = data_from_series(eb.read_series(table))
    fill = {"low": -np.inf, "high": np.inf, "mask": False}
    more = ROWS - len(data.y)
    columns = ("t", "y", "low", "high", "value_sd", "date_sd", "mask")
    return data._replace(
        **{
            name: np.pad(getattr(data, name), (0, more), constant_values=fill.get(name, 0.0))
            for name in columns
        }
    )


def show(result: dict[str, Any]) -> None:
    """Print a Markdown table."""
    print("| world | rows | model | bias | RMSE | 95 % coverage | too low, too high | mean width |")
    print("|---|---|---|---|---|---|---|---|")
    for world, found in result["worlds"].items():
        rows = found["rows"]
        for model, x in found["models"].items():
            print(
                f"| {world} | {rows['median']:.0f} ({rows['min']} to {rows['max']}) | {model} "
                f"| {x['bias']:+.3f} ± {x['bias_se']:.3f} | {x['rmse']:.3f} "
                f"| {100 * x['coverage']:.1f} ± {100 * x['coverage_se']:.1f} % "
                f"| {100 * x['too_low']:.1f} %, {100 * x['too_high']:.1f} % "
                f"| {x['mean_width']:.3f} |"
            )
    print(f"\n{result['sets']} data sets in each world, {result['seconds']:.0f} s.")


def _spread(counts: list[int]) -> dict[str, float]:
    return {"min": min(counts), "median": float(np.median(counts)), "max": max(counts)}


if __name__ == "__main__":
    main()
