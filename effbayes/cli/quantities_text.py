"""Forecasts, conversions and effective compute for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from effbayes.cli import layout
from effbayes.wording import doubling_time, estimate, probability

if TYPE_CHECKING:
    from rich.console import Console


def forecast(document: Mapping[str, Any]) -> None:
    """Values at dates, then the date of a value."""
    percent, unit = _percent(document), document["unit"]
    with layout.page() as console:
        _head(console, document, f"{document['model']}, {' to '.join(document['rows'])}")
        if document["at"]:
            columns = (f"{unit or 'value'} at", f"of the trend ({percent})", "of a new system")
            rows = [
                (
                    _dated(one["given"], one["date"]),
                    estimate(one["trend"]),
                    estimate(one["predictive"]),
                )
                for one in document["at"]
            ]
            layout.table(console, columns, rows)
            _notes(console, [note for one in document["at"] for note in one["notes"]])
        if document["until"] is not None:
            _until(console, document["until"], unit, percent, document["direction"])


def conversion(document: Mapping[str, Any]) -> None:
    """What an amount of either date is worth at the other."""
    unit, amount = document["unit"], f"{document['amount']:g} {document['unit']}"
    start, end = (
        _dated(given, day)
        for given, day in zip((document["from"], document["to"]), document["span"], strict=True)
    )
    rows = [
        (f"{amount} of {first}", f"{unit} of {last}", *map(estimate, document[way].values()))
        for way, first, last in (("worth", start, end), ("reverse", end, start))
    ]
    columns = ("what is done by", "takes", f"on the trend ({_percent(document)})", "by new systems")
    with layout.page() as console:
        _head(console, document, document["model"])
        layout.table(console, columns, rows)
        _notes(console, document["notes"])


def effective(document: Mapping[str, Any]) -> None:
    """The rates together, then each with its share."""
    percent = _percent(document)
    rows = [
        ("doubling time", doubling_time(document["doubling_time_months"], "months")),
        ("rate, doublings per year", estimate(document["rate_per_year"])),
        ("factor per year", estimate(document["factor_per_year"])),
    ]
    if document["factor"] is not None:
        span = document["factor"]["span"]
        period = f"{document['factor']['years']:.3g} years" if span is None else " to ".join(span)
        rows.append((f"factor over {period}", estimate(document["factor"])))
    parts = [
        (name, part["given"], doubling_time(part["doubling_time_months"]), estimate(part["share"]))
        for name, part in document["components"].items()
    ]
    with layout.page() as console:
        layout.line(console, "effective compute", style="bold")
        for name, part in document["components"].items():
            if "verdict" in part:
                layout.line(console, f"sampler of {name}, {part['run']}: {part['verdict']}")
        layout.table(console, ("", f"median ({percent})"), rows)
        columns = ("component", "given as", "doubling time, months", "share of the rate")
        layout.table(console, columns, parts)
        _notes(console, document["notes"])


def _until(
    console: Console, found: Mapping[str, Any], unit: str, percent: str, direction: str
) -> None:
    date = found["date"]
    ends = " to ".join(date[end] or "-" for end in ("low", "high"))
    why = f"; {date['note']}" if "note" in date else ""
    bound = "at most" if direction == "falling" else "at least"
    layout.line(
        console,
        f"the trend is {bound} {found['value']:g}{f' {unit}' if unit else ''} from "
        f"{date['median'] or '-'} on ({percent}: {ends}{why})",
    )
    rows = [(one["date"], probability(one["prob"])) for one in found["by"]]
    rows.append((f"{found['horizon']}, the horizon", probability(found["prob_reached"])))
    layout.table(console, ("reached by", "probability"), rows)
    _notes(console, found["notes"])


def _head(console: Console, document: Mapping[str, Any], about: str) -> None:
    name = document["series"]
    title = f"{document['domain']}/{name}" if document["domain"] else str(name)
    layout.line(console, title, style="bold")
    layout.line(console, about)
    layout.line(console, f"sampler: {document['verdict']}")


def _percent(document: Mapping[str, Any]) -> str:
    return f"{100 * document['ci']['prob']:g} %"


def _dated(given: str, day: str) -> str:
    return given if given == day else f"{given} ({day})"


def _notes(console: Console, notes: Iterable[str]) -> None:
    for note in notes:
        layout.line(console, f"note: {note}")
