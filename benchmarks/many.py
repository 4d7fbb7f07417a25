"""Certified posteriors a second: the same data sets fitted by effbayes's lanes and by peers.

    uv run --group bench python benchmarks/many.py --out benchmarks/results/many.json

Data sets are drawn once from the log-linear model on the dates of the six AlexNet records. Every
part is a process of its own, compiles before its clock starts, and is timed in seconds of the wall
and of all cores: where other programs run beside, compare the latter. A lane counts with its own
certificate; a chain's fit with ArviZ's R-hat < 1.01 and bulk and tail ESS >= 400 for every
parameter. Slow peers fit the first of the data sets, and their rates are of those.

The same for eight series pooled, without draws of lanes that ArviZ judges; peers are not centred.

Beside that: how seconds and memory grow with the number of lanes, what lanes cost by how many are
side by side, single precision, and calibration with 10,000 data sets.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from shared import cores, installed, machine, write

PEERS = Path(__file__).resolve().parent / "peers"
LANES, LANES_SCRIPT = "effbayes, lanes", "many_lanes.py"
CHEES = "many_blackjax.py"
SAFE, SHORT = {"warmup": 500, "number": 500}, {"warmup": 250, "number": 400}
"""Steps and draws of each of its 16 chains; with 200 and 100, ArviZ certified next to none."""
CHAINS: dict[str, tuple[str, tuple[str, ...], int, dict[str, Any]]] = {
    "effbayes, one fit after another": ("many_nuts.py", (), 40, {}),
    "nutpie": ("many_nutpie.py", ("pymc", "nutpie"), 100, {}),
    "PyStan": ("many_pystan.py", ("pystan",), 20, {}),
    "NumPyro, lax.map": ("many_numpyro.py", ("numpyro",), 40, {"side_by_side": 1}),
    "NumPyro, vmap": ("many_numpyro.py", ("numpyro",), 64, {"side_by_side": 32}),
    "BlackJAX ChEES, lax.map": (CHEES, ("blackjax",), 256, {"side_by_side": 1} | SAFE),
    "BlackJAX ChEES, vmap": (CHEES, ("blackjax",), 256, {"side_by_side": 32} | SAFE),
    "BlackJAX ChEES, lax.map, short": (CHEES, ("blackjax",), 256, {"side_by_side": 1} | SHORT),
}
"""Program, packages, data sets at most, and what else it is told."""
POOLED: dict[str, tuple[str, tuple[str, ...], int, dict[str, Any]]] = {
    "nutpie": ("many_pooled_nutpie.py", ("pymc", "nutpie"), 24, {"target_accept": 0.8}),
    "nutpie, 0.99": ("many_pooled_nutpie.py", ("pymc", "nutpie"), 24, {"target_accept": 0.99}),
    "PyStan": ("many_pooled_pystan.py", ("pystan",), 8, {"target_accept": 0.8}),
    "PyStan, 0.99": ("many_pooled_pystan.py", ("pystan",), 8, {"target_accept": 0.99}),
}
"""As `CHAINS`, of eight series pooled; the number is the acceptance that a sampler aims at."""
SIDE_BY_SIDE = 1024
"""Data sets of a peer that go through its program in lock step on an accelerator."""
PACKAGES = ("effbayes", "jax", "numpyro", "blackjax", "arviz", "pymc", "nutpie", "pystan")


def main() -> None:
    """Measure, print tables, and write JSON."""
    chosen = _options()
    result: dict[str, Any] = {}
    if chosen.out is not None and chosen.out.exists() and chosen.into:
        result = json.loads(chosen.out.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        for part in _measured(Asker(Path(folder), chosen), chosen):
            # A part takes the place of its own older figures, and keeps how it was measured.
            options = result.get("options", {}) | part.get("options", {})
            result |= part | {"options": options}
            write(chosen.out, result)
    _print(result)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=1000, help="data sets of the lanes")
    parser.add_argument("--pooled-sets", type=int, default=128, help="of eight series each")
    parser.add_argument("--peer-sets", type=int, help="at most so many for every peer")
    parser.add_argument("--peers", default=";".join(CHAINS | POOLED), help="names, by semicolons")
    parser.add_argument("--parts", default=",".join(MEASURES))
    parser.add_argument("--lanes", default="100,1000,10000,100000")
    parser.add_argument("--widths", default="", help="default: 1 to 256 (CPU), 64 to 65536")
    parser.add_argument("--rounds", type=int, default=3, help="of the widths")
    parser.add_argument("--sbc", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--platform", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--seed", type=int, default=2020)
    parser.add_argument("--out", type=Path)
    parser.add_argument(
        "--into", action="store_true", help="keep what --out has of parts not measured now"
    )
    return parser.parse_args()


class Asker:
    """Starts a part as a process of its own and returns its figures."""

    def __init__(self, folder: Path, chosen: argparse.Namespace) -> None:
        self.folder = folder
        self.common = {
            "out": str(folder / "figures.json"),
            "seed": chosen.seed,
            "threads": chosen.threads,
            "platform": chosen.platform,
        }

    def __call__(self, script: str, **told: Any) -> dict[str, Any]:
        """Figures of a script; where it fails, its last line."""
        print(script, told, file=sys.stderr, flush=True)
        asked, out = self.folder / "task.json", Path(self.common["out"])
        sets = "pooled" if script.startswith("many_pooled") else "sets"
        told |= {"data": str(self.folder / f"{sets}.npz")}
        asked.write_text(json.dumps(self.common | told), encoding="utf-8")
        out.unlink(missing_ok=True)
        # Kept from one part to the next: programs are compiled, and fits are not found again.
        kept = {"XDG_CACHE_HOME": str(self.folder), "EFFBAYES_CACHE": str(self.folder / "programs")}
        devices = {"cpu": "cpu", "gpu": "cuda,cpu"}[self.common["platform"]]
        ended = subprocess.run(
            [sys.executable, str(PEERS / script), str(asked)],
            env=os.environ | kept | {"JAX_PLATFORMS": devices},
            capture_output=True,
            check=False,
            text=True,
        )
        if ended.returncode or (not out.exists() and told.get("what") != "draw"):
            return {"failed": _reason(ended.stderr)}
        return json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}


def _reason(said: str) -> str:
    """The error that a traceback ends with."""
    lines = [line for line in said.splitlines() if line and not line.startswith((" ", "-", "For "))]
    errors = [line for line in lines if "Error" in line.partition(":")[0]]
    return (errors or lines or ["no reason given"])[-1]


def _measured(ask: Asker, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Figures part by part, each with the machine's load before it."""
    parts = [part.strip() for part in chosen.parts.split(",")]
    unknown = set(parts) - MEASURES.keys()
    if unknown:
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    yield {"machine": machine(PACKAGES)}
    if {"posteriors", "widths", "precision"} & set(parts):
        _draw(ask, LANES_SCRIPT, chosen.sets)
    for part, measure in MEASURES.items():
        if part in parts:
            options = {part: _plain(chosen) | {"load_before": _load()}}
            for figures in measure(ask, chosen):
                yield {part: figures, "options": options}


def _posteriors(ask: Asker, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    found = {LANES: ask(LANES_SCRIPT, what="posteriors", sets=chosen.sets)}
    found |= _peers(ask, chosen, CHAINS)
    _compare(found)
    yield found


def _growth(ask: Asker, chosen: argparse.Namespace) -> Iterator[list[dict[str, Any]]]:
    growth = []
    for number in map(int, chosen.lanes.split(",")):
        growth.append(ask(LANES_SCRIPT, what="growth", lanes=number, warm_up=2048))
        yield growth


def _by_width(ask: Asker, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    sets = min(512, chosen.sets) if chosen.platform == "cpu" else chosen.sets
    told = {"widths": _widths(chosen), "rounds": chosen.rounds}
    yield ask(LANES_SCRIPT, what="widths", sets=sets, **told)


def _precision(ask: Asker, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    width, sets = 1024, chosen.sets
    if chosen.platform == "cpu":
        width, sets = 8, min(512, sets)
    yield ask(LANES_SCRIPT, what="precision", sets=sets, width=width)


def _sbc(ask: Asker, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    yield ask(LANES_SCRIPT, what="sbc", lanes=chosen.sbc, warm_up=1024)


def _draw(ask: Asker, script: str, sets: int) -> None:
    drawn = ask(script, what="draw", sets=sets)
    if drawn:
        raise SystemExit(f"no data sets: {drawn['failed']}")


def _pooled(ask: Asker, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Eight series pooled, on data sets of their own."""
    script, sets = "many_pooled.py", chosen.pooled_sets
    _draw(ask, script, sets)
    found = {LANES: ask(script, what="posteriors", sets=sets)}
    found |= _peers(ask, chosen, POOLED)
    _compare(found)
    yield found


MEASURES = {
    "posteriors": _posteriors,
    "pooled": _pooled,
    "growth": _growth,
    "widths": _by_width,
    "precision": _precision,
    "sbc": _sbc,
}
"""Parts, in the order in which they are measured."""


def _peers(ask: Asker, chosen: argparse.Namespace, known: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    asked = [name.strip() for name in chosen.peers.split(";") if name.strip()]
    for name in asked:
        if name not in CHAINS | POOLED:
            raise SystemExit(f"{name!r} is not one of {'; '.join(CHAINS | POOLED)}")
    for name, (script, packages, sets, told) in known.items():
        if name not in asked:
            continue
        if not all(map(installed, packages)):
            found[name] = {"failed": "not installed"}
            continue
        whole = chosen.pooled_sets if known is POOLED else chosen.sets
        wide = _side_by_side(chosen, told)
        most = chosen.peer_sets or (sets if wide == told else SIDE_BY_SIDE)
        found[name] = ask(script, sets=min(whole, most), **wide)
    return found


def _side_by_side(chosen: argparse.Namespace, told: Mapping[str, Any]) -> dict[str, Any]:
    """A peer's task, with as many data sets in lock step as fill the device."""
    if chosen.platform == "cpu" or told.get("side_by_side", 1) == 1:
        return dict(told)
    return dict(told) | {"side_by_side": SIDE_BY_SIDE}


def _widths(chosen: argparse.Namespace) -> list[int]:
    if chosen.widths:
        return [int(width) for width in chosen.widths.split(",")]
    low, high = (0, 9) if chosen.platform == "cpu" else (6, 17)
    return [2**power for power in range(low, high)]


def _compare(posteriors: dict[str, Any]) -> None:
    """Rates, ratios to the lanes, and how far certified means are from theirs, in the peer's sd."""
    for each in posteriors.values():
        if "failed" not in each:
            each["certified_per_wall_s"] = each["certified"] / each["wall_s"]
            each["certified_per_cpu_s"] = each["certified"] / each["cpu_s"]
    lanes = posteriors.get(LANES, {"failed": ""})
    means = {name: each.pop("mean", None) for name, each in posteriors.items()}
    spreads = {name: each.pop("sd", None) for name, each in posteriors.items()}
    judged = {name: each.pop("judged", None) for name, each in posteriors.items()}
    for name, each in posteriors.items():
        if "failed" in each or "failed" in lanes or name == LANES:
            continue
        each["lanes_are_faster"] = {
            clock: lanes[f"certified_per_{clock}_s"] / each[f"certified_per_{clock}_s"]
            if each["certified"]
            else None
            for clock in ("wall", "cpu")
        }
        n = each["sets"]
        away = np.abs(np.array(means[LANES][:n]) - means[name][:n]) / np.array(spreads[name])
        away = away[np.array(judged[name])] if any(judged[name]) else np.array([np.nan])
        each["mean_of_lanes_away_in_sd"] = {
            "median": float(np.median(away)),
            "max": float(np.max(away)),
        }


def _print(result: dict[str, Any]) -> None:
    for part in ("posteriors", "pooled"):
        if part in result:
            print(f"\n{part}\n")
            _print_posteriors(result[part])
    if "growth" in result:
        _print_growth(result["growth"])
    if "widths" in result.get("widths", {}):
        print("\n| side by side | CPU us / lane | wall us / lane |\n|---|---|---|")
        for width, each in result["widths"]["widths"].items():
            if "failed" in each:
                print(f"| {width} | {each['failed']} | |")
            else:
                cpu, wall = np.median(each["cpu_us"]), np.median(each["wall_us"])
                print(f"| {width} | {cpu:.0f} | {wall:.0f} |")
    for name in ("precision", "sbc"):
        if name in result:
            print(f"\n{name}:", json.dumps(result[name], indent=2))


def _print_growth(growth: list[dict[str, Any]]) -> None:
    print("\n| lanes | wall s | CPU s | CPU ms / lane | peak MiB | before | certified |")
    print("|---|---|---|---|---|---|---|")
    for each in growth:
        if "failed" in each:
            print(f"| failed: {each['failed']} | | | | | | |")
            continue
        n, cpu = each["lanes"], each["cpu_s"]
        print(
            f"| {n} | {each['wall_s']:.2f} | {cpu:.2f} | {cpu / n * 1e3:.2f} "
            f"| {each['peak_mib']:.0f} | {each['peak_mib_before']:.0f} | {each['certified']} |"
        )


def _print_posteriors(posteriors: dict[str, Any]) -> None:
    print("| program | data sets | certified | wall s | CPU s | certified / wall s ", end="")
    print("| / CPU s | lanes, times faster: wall | CPU |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, each in posteriors.items():
        if "failed" in each:
            print(f"| {name} | {each['failed']} | | | | | | | |")
            continue
        faster = each.get("lanes_are_faster", {"wall": 1.0, "cpu": 1.0})
        times = " | ".join("" if x is None else f"{x:.1f}" for x in faster.values())
        print(
            f"| {name} | {each['sets']} | {each['certified']} | {each['wall_s']:.2f} "
            f"| {each['cpu_s']:.2f} | {each['certified_per_wall_s']:.2f} "
            f"| {each['certified_per_cpu_s']:.2f} | {times} |"
        )


def _plain(chosen: argparse.Namespace) -> dict[str, Any]:
    left_out = ("out", "into")
    return {name: value for name, value in vars(chosen).items() if name not in left_out}


def _load() -> float | None:
    """Processes that ran or waited, on average of the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


if __name__ == "__main__":
    main()
