"""A planted frontier: what each way of finding its rate gets right.

    uv run python benchmarks/frontier_study.py --out benchmarks/results/frontier_study.json

Tables of 16 systems are drawn from a frontier that falls by 0.8 doublings a year, with an
exponential excess of mean 1 and a noise of 0.15 doublings, at the dates of the AlexNet-level
table or, on request, at dates uniform over seven years. Three ways see each table: the stochastic
frontier on all rows, the log-linear trend on the rows that set a record, and the log-linear trend
on all rows. Reported for the rate, in doublings per year: bias and root mean square error of the
posterior median, how often the 95 % interval holds the truth, and its mean width.

The excess has the same distribution at all dates, so the trend of all rows has the true rate too,
and the log-linear model is not wrong about the slope: only less sharp.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# `scripts` and `reliability` run this file from elsewhere.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from shared import machine, write

import effbayes as eb
from effbayes import runtime
from effbayes.diagnostics import diagnose
from effbayes.inference.nuts import SamplerSettings, run_nuts
from effbayes.models import contract, frontier, loglinear

RATE, SIGMA, ETA, LEVEL = 0.8, 0.15, 1.0, 3.0
ROWS, SPAN_DAYS = 16, 2557
PROB = 0.95
WAYS = ("frontier, all rows", "loglinear, records", "loglinear, all rows")
# Point values alone: without the arithmetic of bounds a program is compiled and run faster.
MODELS = {
    "frontier": frontier.Frontier(censored=False),
    "loglinear": loglinear.LogLinear(censored=False),
}


def main() -> None:
    """Run the study, print it as a table, and write it down on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dates", choices=("alexnet", "uniform"), default="alexnet")
    parser.add_argument("--warmup", type=int, default=500)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()

    settings = SamplerSettings(warmup=arguments.warmup, draws=arguments.draws)
    rng = np.random.default_rng(arguments.seed)
    began = time.perf_counter()
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with runtime.on_device("cpu") as device:
        plan = runtime.plan(device)
        for number in range(arguments.sets):
            table = draw_table(rng, arguments.dates)
            root = np.array([arguments.seed, number], dtype=np.uint32)
            for way in WAYS:
                found[way].append(fit(way, table, root, settings, plan))
    result = {
        "truth": {"rate": RATE, "sigma": SIGMA, "eta": ETA, "rows": ROWS, "dates": arguments.dates},
        "sampler": {"warmup": settings.warmup, "draws": settings.draws, "chains": settings.chains},
        "sets": arguments.sets,
        "seed": arguments.seed,
        "ways": {way: summarize(rows) for way, rows in found.items()},
        "seconds": round(time.perf_counter() - began, 1),
        "machine": machine(("effbayes", "jax", "numpyro", "arviz")),
    }
    print(as_markdown(result))
    write(arguments.out, result)


def draw_table(rng: np.random.Generator, dates: str) -> eb.Series:
    """One table from the planted frontier; all rows used."""
    if dates == "alexnet":
        days = eb.load_series("imagenet", "alexnet-training", where="all").date
    else:
        offsets = np.sort(rng.choice(SPAN_DAYS, ROWS, replace=False))
        days = np.datetime64("2012-06-01") + offsets
    t = (days - days[0]) / np.timedelta64(1, "D") / 365.25
    excess, noise = ETA * rng.exponential(size=len(days)), SIGMA * rng.normal(size=len(days))
    value = 2.0 ** (LEVEL - RATE * t + excess + noise)
    return eb.read_series(pd.DataFrame({"date": days.astype(str), "value": value}))


def fit(
    way: str,
    table: eb.Series,
    root: np.ndarray,
    settings: SamplerSettings,
    plan: runtime.Plan,
) -> dict[str, float]:
    """Median and interval of the rate, and what the sampler had to say."""
    name, rows = way.split(", ")
    series = table.where("frontier" if rows == "records" else "all")
    model = MODELS[name]
    model.check(series)
    draws = run_nuts(model, contract.data_from_series(series), root, settings, plan=plan)
    rate = draws.values["rate"]
    low, median, high = np.quantile(rate, [0.5 - 0.5 * PROB, 0.5, 0.5 + 0.5 * PROB])
    quantities = {each: draws.values[each] for each in ("rate", *model.parameters)}
    return {
        "rows": series.n_obs,
        "low": float(low),
        "median": float(median),
        "high": float(high),
        "divergences": int(draws.stats["diverging"].sum()),
        "ok": str(diagnose(quantities, draws.stats)) == "ok",
    }


def summarize(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Figures over all tables, with the standard errors that so many tables leave."""
    low, median, high, used = (
        np.array([row[name] for row in rows]) for name in ("low", "median", "high", "rows")
    )
    error = median - RATE
    covered = (low < RATE) & (high > RATE)
    n = len(rows)
    rmse = np.sqrt(np.mean(error**2))
    return {
        "bias": error.mean(),
        "bias_se": error.std(ddof=1) / np.sqrt(n),
        "rmse": rmse,
        "rmse_se": np.std(error**2, ddof=1) / np.sqrt(n) / (2.0 * rmse),
        "covered": int(covered.sum()),
        "width": float(np.mean(high - low)),
        "mean_rows": float(used.mean()),
        "verdict_ok": int(sum(row["ok"] for row in rows)),
        "divergences": int(sum(row["divergences"] for row in rows)),
    }


def as_markdown(result: dict[str, Any]) -> str:
    """The figures as a table."""
    lines = [
        "| way | rows | bias | RMSE | 95 % interval holds the truth | mean width | verdict ok |",
        "|---|---|---|---|---|---|---|",
    ]
    for way, each in result["ways"].items():
        lines.append(
            f"| {way} | {each['mean_rows']:.1f} | {each['bias']:+.3f} ± {each['bias_se']:.3f} | "
            f"{each['rmse']:.3f} ± {each['rmse_se']:.3f} | "
            f"{each['covered']} of {result['sets']} | {each['width']:.2f} | "
            f"{each['verdict_ok']} of {result['sets']} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
