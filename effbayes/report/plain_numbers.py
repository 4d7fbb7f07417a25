"""The numbers of a report as rows of a table: its summary, and its draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from effbayes.analysis import Analysis

HEADER = ("series", "quantity", "median", "low", "high", "note")


def summary(numbers: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Every estimate, at full precision, under the columns of `HEADER`.

    Parameters
    ----------
    numbers
        As `effbayes.report.document.Document.numbers`.
    """
    rows: list[tuple[Any, ...]] = []
    parts = numbers.get("summaries", [numbers])
    if "diagnostics" in numbers and "summaries" in numbers:
        rows.append(("", "verdict", *_verdict(numbers)))
    for name, estimate in _estimates(numbers.get("population", {}), ""):
        rows.append(("", name, *estimate))
    for part in parts:
        whose = "/".join(word for word in (part["domain"], part["series"]) if word)
        rows.append((whose, "verdict", *_verdict(part)))
        rows += [(whose, name, *estimate) for name, estimate in _estimates(part, "")]
        rows += [
            (whose, f"prob_faster.{each['name']}", each["prob_faster"], None, None, "")
            for each in part["references"]
        ]
    return rows


def _verdict(part: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the diagnostics say, in the column of notes."""
    found = part["diagnostics"]
    return None, None, None, "; ".join([found["verdict"], *found["reasons"]])


def _estimates(value: Any, name: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    if not isinstance(value, Mapping):
        return
    if {"median", "low", "high"} <= value.keys():
        yield name, (value["median"], value["low"], value["high"], value.get("note") or "")
        return
    for key, inner in value.items():
        yield from _estimates(inner, f"{name}.{key}".lstrip("."))


def draws(fits: Sequence[Analysis]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Header and rows of all draws: one row for each draw of each chain of each series.

    Each says whether the sampler converged: rows are cut and pasted, and a file name is lost.

    Parameters
    ----------
    fits
        With the same parameters.
    """
    names = [name for name, x in fits[0].draws.items() if np.ndim(x) == 2]
    rows: list[tuple[Any, ...]] = []
    for fit in fits:
        columns = [np.asarray(fit.draws[name]) for name in names]
        chains, number = columns[0].shape
        rows += [
            (
                fit.id,
                chain,
                draw,
                *(float(column[chain, draw]) for column in columns),
                fit.verdict.ok,
            )
            for chain in range(chains)
            for draw in range(number)
        ]
    return ("series", "chain", "draw", *names, "converged"), rows
