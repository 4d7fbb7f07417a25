"""The numbers of a report as rows of a table: its summary, and its draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from effbayes import comparison

if TYPE_CHECKING:
    from effbayes.analysis import Analysis

HEADER = ("series", "model", "quantity", "median", "low", "high", "note")


def summary(numbers: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Every estimate and probability, at full precision, under the columns of `HEADER`.

    Series, model and quantity are together the key of a row. A probability is in the column of
    medians; an estimate that has a date has it at the end of its name.

    Parameters
    ----------
    numbers
        As `effbayes.report.document.Document.numbers`.
    """
    rows: list[tuple[Any, ...]] = []
    parts = numbers.get("summaries", [numbers])
    if "diagnostics" in numbers and "summaries" in numbers:
        rows.append(("", numbers["model"], "verdict", *_verdict(numbers)))
    for name, estimate in _estimates(numbers.get("population", {}), ""):
        rows.append(("", numbers["model"], name, *estimate))
    series = ["/".join(word for word in (part["domain"], part["series"]) if word) for part in parts]
    for part, *whose in zip(parts, series, _models(series, parts), strict=True):
        rows.append((*whose, "verdict", *_verdict(part)))
        rows += [(*whose, name, *estimate) for name, estimate in _estimates(part, "")]
        rows += [
            (*whose, f"prob_faster.{each['name']}", each["prob_faster"], None, None, "")
            for each in part["references"]
        ]
    return rows


class _Made(NamedTuple):
    """How a run was made, where its draws are not at hand."""

    settings: Mapping[str, Any]


def _models(series: Sequence[str], made: Sequence[Mapping[str, Any]]) -> list[str]:
    """A name for the model of each run, as a comparison gives it, which no other of its series has.

    Parameters
    ----------
    series
        Of each run.
    made
        Its model, prior and noise.
    """
    found = [""] * len(made)
    for one in dict.fromkeys(series):
        places = [place for place, name in enumerate(series) if name == one]
        alike = [_Made(made[place]) for place in places]
        for place, name in zip(places, comparison.names(alike), strict=True):
            found[place] = name
    return found


def _verdict(part: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the diagnostics say, in the column of notes."""
    found = part["diagnostics"]
    return None, None, None, "; ".join([found["verdict"], *found["reasons"]])


def _estimates(value: Any, name: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Names and cells of what a summary holds at any depth; rates of reference are left out."""
    if isinstance(value, list):
        dated = [one for one in value if isinstance(one, Mapping) and "date" in one]
        for one in dated:
            yield from _estimates(one, f"{name}.{one['date']}")
        return
    if not isinstance(value, Mapping):
        if name.rpartition(".")[2].startswith("prob_"):
            yield name, (value, None, None, "")
        return
    if {"median", "low", "high"} <= value.keys():
        yield name, (value["median"], value["low"], value["high"], value.get("note") or "")
        return
    for key, inner in value.items():
        yield from _estimates(inner, f"{name}.{key}".lstrip("."))


def draws(fits: Sequence[Analysis]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Header and rows of all draws: one row for each draw of each chain of each run.

    Each says whether the sampler converged: rows are cut and pasted, and a file name is lost.

    Parameters
    ----------
    fits
        Of any series and models; the cell of a parameter that a model does not have is empty.
    """
    drawn = [
        {name: np.asarray(x) for name, x in fit.draws.items() if np.ndim(x) == 2} for fit in fits
    ]
    names = list(dict.fromkeys(name for columns in drawn for name in columns))
    models = _models([fit.id for fit in fits], [fit.settings for fit in fits])
    rows: list[tuple[Any, ...]] = []
    for fit, model, columns in zip(fits, models, drawn, strict=True):
        chains, number = columns["rate"].shape
        rows += [
            (
                fit.id,
                model,
                chain,
                draw,
                *(float(columns[name][chain, draw]) if name in columns else None for name in names),
                fit.verdict.ok,
            )
            for chain in range(chains)
            for draw in range(number)
        ]
    return ("series", "model", "chain", "draw", *names, "converged"), rows
