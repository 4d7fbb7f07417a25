"""Results for people: plain Rich tables, never markup made from a table's own strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from effbayes.diagnostics import Diagnostics
    from effbayes.errors import DataError

NARROWEST = 140
"""Columns assumed when the output is not a terminal, so that nothing is cut in a file."""


def number(value: float | None) -> str:
    """Three significant digits; a dash where there is none."""
    if value is None:
        return "-"
    if value == 0.0 or 1e-3 <= abs(value) < 1e5:
        digits = f"{value:#.3g}"
        return digits.rstrip(".") if "e" not in digits else f"{value:.0f}"
    return f"{value:.2e}"


def estimate(value: Mapping[str, Any], unit: str = "") -> str:
    """``15.7 months (12.9 to 21.1)``; an upper end that does not exist is said in words."""
    if value["median"] is None and value["low"] is None:
        return str(value.get("note", "-"))
    after = f" {unit}" if unit else ""
    if value["high"] is None:
        middle = "" if value["median"] is None else f"{number(value['median'])}{after}; "
        return f"{middle}longer than {number(value['low'])}{after}, or no progress"
    if value["median"] is None:
        return str(value.get("note", "-"))
    return f"{number(value['median'])}{after} ({number(value['low'])} to {number(value['high'])})"


def summaries(found: Sequence[Mapping[str, Any]]) -> None:
    """One series in full, several as a table with a line each."""
    console = _console()
    if len(found) == 1:
        _one(console, found[0])
    else:
        _several(console, found)


def _one(console: Console, summary: Mapping[str, Any]) -> None:
    percent = f"{100 * summary['ci']['prob']:g} %"
    kind = "equal-tailed" if summary["ci"]["kind"] == "eti" else "highest-density"
    factors = summary["efficiency_factor"]
    console.print(Text(_title(summary), style="bold"))
    console.print(
        Text(
            f"{summary['model']}, {summary['prior']} prior; {summary['n_obs']} of "
            f"{summary['n_table']} rows; {factors['from']} to {factors['to']}"
        )
    )
    _verdict(console, summary)
    table = _table(("", f"median ({percent}, {kind})"))
    rows = [
        ("doubling time", estimate(summary["doubling_time_months"], "months")),
        ("rate, doublings per year", estimate(summary["rate_per_year"])),
        ("factor per year", estimate(summary["factor_per_year"])),
        ("factor over the span, trend", estimate(factors["trend"])),
        ("factor over the span, new systems", estimate(factors["predictive"])),
        ("factor over the span, observed", estimate(factors["observed"])),
        ("P(progress)", _probability(summary["prob_progress"])),
    ]
    for name, parameter in summary["parameters"].items():
        rows.append((name, estimate(parameter)))
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    references = _table(
        ("faster than", "doubling time, months", "factor over the span", "probability")
    )
    for reference in summary["references"]:
        references.add_row(
            Text(reference["name"]),
            Text(number(reference["doubling_time_months"])),
            Text(number(reference["factor"])),
            Text(_probability(reference["prob_faster"])),
        )
    console.print(references)
    _notes(console, summary["notes"])


def _several(console: Console, found: Sequence[Mapping[str, Any]]) -> None:
    percent = f"{100 * found[0]['ci']['prob']:g} %"
    table = _table(
        (
            "series",
            "rows",
            f"doubling time, months ({percent})",
            "factor over the span",
            "P(faster than Moore)",
            "sampler",
        )
    )
    for summary in found:
        moore = next(r for r in summary["references"] if r["name"] == "moore")
        table.add_row(
            Text(_title(summary)),
            Text(f"{summary['n_obs']} of {summary['n_table']}"),
            Text(estimate(summary["doubling_time_months"])),
            Text(estimate(summary["efficiency_factor"]["trend"])),
            Text(_probability(moore["prob_faster"])),
            Text(summary["diagnostics"]["verdict"]),
        )
    console.print(table)
    for summary in found:
        if summary["diagnostics"]["reasons"]:
            _verdict(console, summary)
        _notes(console, [f"{summary['series']}: {note}" for note in summary["notes"]])


def diagnostics(name: str, found: Diagnostics) -> None:
    """Verdict first, then the figures of every quantity."""
    console = _console()
    console.print(Text(f"{name}: {found}", style="bold"))
    table = _table(("quantity", "R-hat", "bulk ESS", "tail ESS"))
    for quantity, q in found.quantities.items():
        table.add_row(Text(quantity), f"{q.r_hat:.4f}", f"{q.ess_bulk:.0f}", f"{q.ess_tail:.0f}")
    console.print(table)
    console.print(
        Text(
            f"divergences {found.divergences}, trajectories cut short {found.max_tree_depth_hits}, "
            f"smallest BFMI {found.bfmi_min:.2f}"
        )
    )


def factors(document: Mapping[str, Any]) -> None:
    """The three efficiency factors between two dates."""
    console = _console()
    console.print(
        Text(
            f"{document['series']}, {document['from']} to {document['to']} "
            f"(sampler: {document['verdict']})",
            style="bold",
        )
    )
    table = _table(("efficiency factor", f"median ({100 * document['ci']['prob']:g} %)"))
    names = {"trend": "of the trend", "predictive": "of new systems", "observed": "as observed"}
    for kind, value in document["efficiency_factor"].items():
        table.add_row(Text(names[kind]), Text(estimate(value)))
    console.print(table)


def domains(infos: Sequence[Mapping[str, Any]]) -> None:
    """The catalogue."""
    table = _table(("domain", "series", "rows", "span", "unit", "published: factor, doubling time"))
    for info in infos:
        claim = info["claim"]
        shown = "-"
        if claim is not None:
            shown = f"{claim['factor']:g}x, {claim['doubling_time_months']:.3g} months"
        table.add_row(
            *map(
                Text,
                (
                    info["domain"],
                    info["series"],
                    f"{info['n_obs']} of {info['n_table']}",
                    " to ".join(info["span"]),
                    info["unit"],
                    shown,
                ),
            )
        )
    _console().print(table)


def validation(document: Mapping[str, Any], failure: DataError | None) -> None:
    """All faults, or what was read."""
    console = _console()
    if failure is not None:
        console.print(Text(failure.summary, style="bold"))
        for fault in failure.faults:
            console.print(Text(f"  {fault}"))
        return
    for one in document["series"]:
        console.print(
            Text(
                f"{one['name']}: good; {one['n_obs']} of {one['n_table']} rows, "
                f"{one['span'][0]} to {one['span'][1]}"
            )
        )
        _notes(console, one["remarks"])


def facts(document: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    console = _console()
    for name, value in document.items():
        shown = value
        if isinstance(value, Mapping):
            shown = ", ".join(f"{key} {inner}" for key, inner in value.items())
        elif isinstance(value, list):
            shown = ", ".join(map(str, value))
        console.print(Text(f"{name}: {shown}"))


def _console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, NARROWEST)
    return console


def _table(columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    return table


def _title(summary: Mapping[str, Any]) -> str:
    name = summary["series"]
    return f"{summary['domain']}/{name}" if summary["domain"] else str(name)


def _verdict(console: Console, summary: Mapping[str, Any]) -> None:
    found = summary["diagnostics"]
    if not found["reasons"]:
        console.print(Text(f"sampler: {found['verdict']}"))
        return
    console.print(Text(f"{_title(summary)}: the sampler did not converge", style="bold red"))
    for reason in found["reasons"]:
        console.print(Text(f"  {reason}", style="red"))


def _notes(console: Console, notes: Sequence[str]) -> None:
    for note in notes:
        console.print(Text(f"note: {note}"))


def _probability(value: float) -> str:
    if not 0.0005 <= value < 0.9995:
        return "< 0.001" if value < 0.5 else "> 0.999"
    return f"{value:.3f}"
