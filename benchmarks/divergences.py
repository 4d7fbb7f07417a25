"""Which fits of the shipped data have divergent steps, at default settings.

    uv run python benchmarks/divergences.py --out benchmarks/results/divergences.json

First every series by every model and every domain pooled, by the default seed. Then, by many seeds,
the fits that diverged by one once: above all pools of two series of two rows each.
``--seeds 0`` leaves those out, ``--only-seeds`` the first part.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shared import POST, machine, write

import effbayes as eb
from effbayes.models.catalogue import MODELS

Fit = Callable[[int], Any]

POOLS = (*((domain,) for domain in eb.domain_names()), ("go", "dota2"), POST, eb.domain_names())

FRONTIERS = (
    ("imagenet-fixed-hardware", "8xv100"),
    ("cifar10", "v100"),
    ("imagenet", "resnet50-training"),
)
"""Series whose frontier had divergent steps by some seed."""


def main() -> None:
    """Fit, print a line for each fit, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--only-seeds", action="store_true")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    found: dict[str, Any] = {"machine": machine(("jax", "numpyro"))}
    if not chosen.only_seeds:
        found["default seed"] = by_default_seed()
    if chosen.seeds:
        found["many seeds"] = [by_seeds(*one, chosen.seeds) for one in weak()]
    write(chosen.out, found)


def by_default_seed() -> dict[str, Any]:
    """Fits made, those refused because no posterior exists, and those with divergent steps."""
    fits, refused, diverged = 0, [], {}
    for name, fit in shipped():
        try:
            steps = fit(0).diagnostics.divergences
        except eb.EffbayesError as error:
            refused.append(f"{name}: {error}")
            continue
        fits += 1
        if steps:
            diverged[name] = steps
        print(f"{name}: {steps}", flush=True)
    print(f"{len(diverged)} of {fits} fits have divergent steps; {len(refused)} are refused")
    return {"fits": fits, "diverged": diverged, "refused": refused}


def shipped() -> Iterator[tuple[str, Fit]]:
    """Every series by every model of one series, and every pool of two series or more."""
    for domain in eb.domain_names():
        for series in eb.load_domain(domain).values():
            for model in MODELS:
                yield f"{series.id} {model}", one(series, model)
    for domains in POOLS:
        series = members(domains)
        if len(series) > 1:
            yield f"{','.join(domains)} hierarchical", pooled(series)


def weak() -> Iterator[tuple[str, Fit]]:
    """Fits that had a divergent step by some seed, now or with coordinates of before."""
    for domains in (("translation",), ("go", "dota2")):
        yield f"{','.join(domains)} hierarchical", pooled(members(domains))
    for domain, name in FRONTIERS:
        series = eb.load_series(domain, name)
        yield f"{series.id} frontier", one(series, "frontier")


def one(series: eb.Series, model: str) -> Fit:
    """A fit of one series, by seed."""
    return lambda seed: eb.sample(series, model, seed=seed)


def pooled(series: list[eb.Series]) -> Fit:
    """A fit of several series, by seed."""
    return lambda seed: eb.sample_pooled(series, seed=seed)


def members(domains: tuple[str, ...]) -> list[eb.Series]:
    """All series of some domains."""
    return [series for domain in domains for series in eb.load_domain(domain).values()]


def by_seeds(name: str, fit: Fit, seeds: int) -> dict[str, Any]:
    """Seeds from 0 on by which a fit has divergent steps."""
    which = [seed for seed in range(seeds) if fit(seed).diagnostics.divergences]
    print(f"{name}: {len(which)} of {seeds} seeds", flush=True)
    return {"fit": name, "seeds": seeds, "diverged by seed": which}


if __name__ == "__main__":
    main()
