"""Statistical reliability, by one command for every night.

    uv run python benchmarks/reliability --out benchmarks/results/reliability.json

Parts: ``calibration`` of every model by simulation, ``references`` (the tests against exact
answers), ``coverage`` over a grid of truths, and ``worlds`` that models do not describe. Each part
is written down as soon as it ends, beside those that the file has of before; so are some models of
a part (``--models "drift;frontier"``) or some numbers of rows (``--rows 3,6``).
``scripts/update_reliability.py`` makes docs/reliability.md from it. The exit code is 1 where ranks
leave their bands, which those of right models do once in a thousand seeds, where a control of the
coverage is off, or where a reference fails. With ``--folder`` a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import calibrating
import covering
import references
import worlds
from shared import machine, write

from effbayes import provenance, runtime

SCHEMA = "effbayes.reliability/1"

Rows = list[dict[str, Any]]


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that are asked for; returns the exit code."""
    asked = _parsed(arguments)
    unknown = set(asked.parts) - PARTS.keys()
    if unknown:
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    _require_models(asked)
    found: dict[str, Any] = {"schema": SCHEMA, "parts": {}}
    if asked.out is not None and asked.out.exists():
        found = json.loads(asked.out.read_text(encoding="utf-8"))
    if asked.folder is not None:
        runtime.keep_compiled(asked.folder / "programs")
    for part in asked.parts:
        began, cpu = time.perf_counter(), time.process_time()
        figures = PARTS[part](asked) | {
            "seed": asked.seed,
            "seconds": round(time.perf_counter() - began),
            "cpu_seconds": round(time.process_time() - cpu),
            "made": provenance.now(),
            "versions": provenance.versions(),
            "machine": machine(),
        }
        found["parts"][part] = merged(part, found["parts"].get(part, {}), figures)
        write(asked.out, found, indent=1)
    wrong = faults({name: found["parts"][name] for name in asked.parts})
    for each in wrong:
        print(f"FAILED {each}", file=sys.stderr)
    return int(bool(wrong))


def merged(part: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """New figures beside old ones of other models or rows, if seed and versions are the same."""
    alike = all(old.get(name) == new[name] for name in ("seed", "versions"))
    if part not in SOME or not alike:
        return new
    rows, key = SOME[part]
    here = {row[key] for row in new[rows]}
    kept = [row for row in old[rows] if row[key] not in here]
    times = {name: old[name] + new[name] for name in ("seconds", "cpu_seconds")}
    return new | times | {rows: kept + new[rows]}


def faults(parts: dict[str, Any]) -> list[str]:
    """What must not be, in words; empty if all is well."""
    found = [
        f"{run['model']}, {run['design']}: {run['excursions']}"
        for run in parts.get("calibration", {}).get("runs", ())
        if run["gated"] and not run["ok"]
    ]
    tests = parts.get("references", {})
    found += [f"tests/reference: {name}" for name in tests.get("failed", ())]
    # A known answer that nothing is held against is none.
    found += [f"tests/reference: {name} was skipped" for name in tests.get("skipped", ())]
    found += [
        f"{cell['kind']}, {cell['rows']} rows: {100 * cell['share']:.1f} % of 95 % intervals"
        for cell in parts.get("coverage", {}).get("cells", ())
        if covering.is_wrong(cell)
    ]
    return found


def _calibration(asked: argparse.Namespace) -> dict[str, Any]:
    made = calibrating.calibration(
        asked.sets, asked.seed, _folder(asked, "calibration"), asked.models
    )
    said = "{model}, {design}: ok {ok}, {fitted_by}, not certified {not_certified}, {seconds} s"
    return {"false_alarm": calibrating.FALSE_ALARM, "runs": _all(made, said)}


def _references(asked: argparse.Namespace) -> dict[str, Any]:
    found = references.references(slow=asked.slow)
    print(f"references: {found['passed']} passed, failed {found['failed']}", flush=True)
    return found


def _coverage(asked: argparse.Namespace) -> dict[str, Any]:
    made = covering.coverage(asked.cell, asked.seed, _folder(asked, "coverage"), asked.rows)
    said = "{kind}, {rows} rows, errors {errors}, sigma {sigma}, {months} months: {share:.3f}"
    return {"cells": _all(made, said)}


def _worlds(asked: argparse.Namespace) -> dict[str, Any]:
    made = worlds.worlds(asked.tables, asked.seed, _folder(asked, "worlds"), asked.models)
    said = "{world}, {model}: bias {bias:+.3f}, coverage {coverage:.3f}, width {width:.2f}"
    return {"rows": _all(made, said)}


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "calibration": _calibration,
    "coverage": _coverage,
    "worlds": _worlds,
    "references": _references,
}
SOME = {
    "calibration": ("runs", "model"),
    "coverage": ("cells", "rows"),
    "worlds": ("rows", "model"),
}
"""Parts that can be run piece by piece: where their figures are, and what tells pieces apart."""


def _all(made: Iterator[dict[str, Any]], said: str) -> Rows:
    """Everything that is made, each told as it ends."""
    rows = []
    for row in made:
        rows.append(row)
        print(said.format(**row), flush=True)
    return rows


def _folder(asked: argparse.Namespace, part: str) -> Path | None:
    return None if asked.folder is None else asked.folder / part


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--parts", type=_parts, default=list(PARTS), help=", ".join(PARTS))
    add("--sets", type=int, default=2000, help="data sets of each model and design")
    add("--cell", type=int, default=1000, help="data sets of each cell of the grid")
    add("--models", type=_names, default=(), help="of calibration and worlds, by ';'; else all")
    add("--rows", type=_numbers, default=covering.ROWS, help="numbers of rows in the grid")
    add("--tables", type=int, default=200, help="tables of each world")
    add("--slow", action="store_true", help="slow references too: an hour")
    add("--seed", type=int, default=0)
    add("--folder", type=Path, help="keeps programs and finished chunks")
    add("--out", type=Path)
    return parser.parse_args(arguments)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(";") if name.strip())


def _require_models(asked: argparse.Namespace) -> None:
    """Refuse a model that no part has, and a part that has none of those asked for."""
    every = {
        "calibration": {run.model for run in calibrating.runs()},
        "worlds": set(worlds.MODELS),
    }
    here = {part: known for part, known in every.items() if part in asked.parts}
    known, wanted = set().union(*here.values()), set(asked.models)
    if here and wanted - known:
        unknown = ", ".join(sorted(wanted - known))
        raise SystemExit(f"no model {unknown}; there are {'; '.join(sorted(known))}")
    for part, its in here.items():
        if wanted and not wanted & its:
            raise SystemExit(f"{part} has none of these models; it has {'; '.join(sorted(its))}")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
