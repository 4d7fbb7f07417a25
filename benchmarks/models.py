"""What a compiled fit of each model costs, as a ratio to the log-linear one.

    uv run python benchmarks/models.py --out benchmarks/results/models.json

Models of one series fit all 16 AlexNet-level rows (records: its 6), point values or with bounds,
at default settings; the hierarchical model fits the eight series of the post, and is set beside
eight log-linear fits of the same series. Every program is compiled before the clock starts; models
take turns, and a ratio is the median over rounds of a model's time to log-linear's in that round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared import POST, machine, write

import effbayes as eb
from effbayes.models.catalogue import MODELS


def jobs() -> dict[str, dict[str, Callable[[int], Any]]]:
    """Fits by table and model; the first of each table is what the others are set beside."""
    whole = eb.load_series("imagenet", "alexnet-training", where="all")
    tables = {"point values": whole.without_bounds(), "with bounds": whole}
    found: dict[str, dict[str, Callable[[int], Any]]] = {
        name: {
            model: lambda seed, series=series, model=model: eb.sample(series, model, seed=seed)
            for model in MODELS
        }
        for name, series in tables.items()
    }
    eight = [one for domain in POST for one in eb.load_domain(domain).values()]
    found["eight series"] = {
        "loglinear, one by one": lambda seed: [eb.sample(one, seed=seed) for one in eight],
        "hierarchical": lambda seed: eb.sample_pooled(eight, seed=seed),
    }
    return found


def main() -> None:
    """Time, print a table, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    results: dict[str, dict[str, Any]] = {}
    print("| table | model | median s | / loglinear |\n|---|---|---|---|")
    for table, fits in jobs().items():
        for fit in fits.values():
            fit(0)  # compiles
        seconds: dict[str, list[float]] = {model: [] for model in fits}
        for number in range(1, chosen.rounds + 1):
            for model, fit in fits.items():
                began = time.perf_counter()
                fit(number)
                seconds[model].append(time.perf_counter() - began)
        peer = next(iter(seconds.values()))
        results[table] = {}
        for model, each in seconds.items():
            ratio = statistics.median(one / other for one, other in zip(each, peer, strict=True))
            results[table][model] = {"seconds": each, "ratio": ratio}
            print(f"| {table} | {model} | {statistics.median(each):.3f} | {ratio:.2f} |")
    report = {
        "rounds": chosen.rounds,
        "results": results,
        "machine": machine(("effbayes", "jax", "numpyro")),
    }
    write(chosen.out, report)


if __name__ == "__main__":
    main()
