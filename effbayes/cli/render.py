"""Results for people: plain Rich tables, never markup made from a table's own strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from effbayes.cli import layout
from effbayes.report.answers import of_parameters, of_the_change, of_the_trend
from effbayes.wording import diagnostic, doubling_time, estimate, number, probability

if TYPE_CHECKING:
    from rich.console import Console

    from effbayes.diagnostics import Diagnostics
    from effbayes.errors import DataError


def document(found: Mapping[str, Any]) -> None:
    """A run of one series, or of several pooled, as `summary` gives it."""
    if "summaries" not in found:
        summaries([found])
        return
    with layout.page() as console:
        _population(console, found)
        _several(console, found["summaries"])


def summaries(found: Sequence[Mapping[str, Any]]) -> None:
    """One series in full, several as a table with a line each."""
    with layout.page() as console:
        if len(found) == 1:
            _one(console, found[0])
        else:
            _several(console, found)


def _one(console: Console, summary: Mapping[str, Any]) -> None:
    percent = f"{100 * summary['ci']['prob']:g} %"
    kind = "equal-tailed" if summary["ci"]["kind"] == "eti" else "highest-density"
    factors = summary["efficiency_factor"]
    layout.line(console, _title(summary), style="bold")
    layout.line(
        console,
        f"{summary['model']}, {summary['prior']} prior; {summary['n_obs']} of "
        f"{summary['n_table']} rows; {factors['from']} to {factors['to']}",
    )
    _verdict(console, summary)
    rows = [
        ("doubling time", doubling_time(summary["doubling_time_months"], "months")),
        *of_the_trend(summary),
        *_of_the_model(summary),
        *of_parameters(summary),
    ]
    layout.table(console, ("", f"median ({percent}, {kind})"), rows)
    references = [
        (
            reference["name"],
            number(reference["doubling_time_months"]),
            number(reference["factor"]),
            probability(reference["prob_faster"]),
        )
        for reference in summary["references"]
    ]
    names = ("faster than", "doubling time, months", "factor over the span", "probability")
    layout.table(console, names, references)
    _notes(console, summary["notes"])
    _made_by(console, [summary])


def _of_the_model(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a model has to say that others have not."""
    if change := summary.get("change"):
        return of_the_change(change)
    if drift := summary.get("drift"):
        start, end = drift["rate"][0], drift["rate"][-1]
        at_end = doubling_time(drift["doubling_time_at_end_months"], "months")
        return [
            (f"rate on {start['date']}", estimate(start)),
            (f"rate on {end['date']}", estimate(end)),
            (f"doubling time on {end['date']}", at_end),
        ]
    return []


def _population(console: Console, found: Mapping[str, Any]) -> None:
    """What the series of a pooled run have in common."""
    percent = f"{100 * found['ci']['prob']:g} %"
    kind = "equal-tailed" if found["ci"]["kind"] == "eti" else "highest-density"
    population, reasons = found["population"], found["diagnostics"]["reasons"]
    layout.line(console, f"{len(found['summaries'])} series pooled", style="bold")
    layout.line(console, f"{found['model']}, {found['prior']} prior")
    if reasons:
        layout.line(console, "the sampler did not converge", style="bold red")
        for reason in reasons:
            layout.line(console, f"  {reason}", style="red")
    else:
        layout.line(console, f"sampler: {found['diagnostics']['verdict']}")
    rows = [
        (words, estimate(population[name], unit)) for name, (words, unit) in OF_POPULATION.items()
    ]
    layout.table(console, ("", f"median ({percent}, {kind})"), rows)


OF_POPULATION = {
    "doubling_time_typical_months": ("doubling time of the typical domain", "months"),
    "doubling_time_new_months": ("doubling time of a domain not yet seen", "months"),
    "tau": ("tau, spread of log doubling times", ""),
    "s": ("s, noise of the typical series", "doublings"),
}


def _several(console: Console, found: Sequence[Mapping[str, Any]]) -> None:
    percent = f"{100 * found[0]['ci']['prob']:g} %"
    columns = (
        "series",
        "rows",
        f"doubling time, months ({percent})",
        "factor over the span",
        "P(faster than Moore)",
        "sampler",
    )
    shared = {summary["domain"] for summary in found}
    if len(shared) == 1 and None not in shared:
        layout.line(console, found[0]["domain"], style="bold")
    rows: list[tuple[str, ...]] = []
    about: dict[str, list[str]] = {}
    for summary in found:
        name = summary["series"] if len(shared) == 1 else _title(summary)
        for note in summary["notes"]:
            about.setdefault(note, []).append(name)
        moore = next(r for r in summary["references"] if r["name"] == "moore")
        rows.append(
            (
                name,
                f"{summary['n_obs']} of {summary['n_table']}",
                doubling_time(summary["doubling_time_months"]),
                estimate(summary["efficiency_factor"]["trend"]),
                probability(moore["prob_faster"]),
                summary["diagnostics"]["verdict"],
            )
        )
    layout.table(console, columns, rows)
    for summary in found:
        if summary["diagnostics"]["reasons"]:
            _verdict(console, summary)
    # What is to be said of several is said once.
    for note, names in about.items():
        whose = "all series" if len(names) == len(found) else ", ".join(names)
        _notes(console, [f"{whose}: {note}"])
    _made_by(console, found)


def diagnostics(name: str, found: Diagnostics) -> None:
    """Verdict first, then the figures of every quantity."""
    with layout.page() as console:
        layout.line(console, f"{name}: {found.verdict}", style="bold")
        for reason in found.reasons:
            layout.line(console, f"  {reason}", style="red")
        rows = [
            (quantity, diagnostic(q.r_hat, 4), diagnostic(q.ess_bulk, 0), diagnostic(q.ess_tail, 0))
            for quantity, q in found.quantities.items()
        ]
        layout.table(console, ("quantity", "R-hat", "bulk ESS", "tail ESS"), rows)
        layout.line(
            console,
            f"divergences {found.divergences}, trajectories cut short "
            f"{found.max_tree_depth_hits}, smallest BFMI {diagnostic(found.bfmi_min, 2)}",
        )


def factors(document: Mapping[str, Any]) -> None:
    """The three efficiency factors between two dates."""
    names = {"trend": "of the trend", "predictive": "of new systems", "observed": "as observed"}
    percent = f"{100 * document['ci']['prob']:g} %"
    rows = [(names[kind], estimate(value)) for kind, value in document["efficiency_factor"].items()]
    dated = (
        given if given == date else f"{given} ({date})"
        for given, date in zip((document["from"], document["to"]), document["span"], strict=True)
    )
    with layout.page() as console:
        layout.line(console, f"{_title(document)}, {' to '.join(dated)}", style="bold")
        layout.line(console, f"sampler: {document['verdict']}")
        layout.table(console, ("efficiency factor", f"median ({percent})"), rows)


def domains(infos: Sequence[Mapping[str, Any]]) -> None:
    """The catalogue, series under their domains."""
    rows = []
    domain = None
    for info in infos:
        if info["domain"] != domain:
            domain = info["domain"]
            rows.append((domain, "", "", "", ""))
        claim = info["claim"]
        shown = "-"
        if claim is not None:
            shown = f"{claim['factor']:g}x, {claim['doubling_time_months']:.3g} months"
        count = f"{info['n_obs']} of {info['n_table']}"
        span = " to ".join(info["span"])
        rows.append((f"  {info['series']}", count, span, info["unit"], shown))
    columns = ("domain, series", "rows", "span", "unit", "published claim")
    with layout.page() as console:
        layout.table(console, columns, rows)


def validation(document: Mapping[str, Any], failure: DataError | None) -> None:
    """All faults, or what was read."""
    with layout.page() as console:
        if failure is not None:
            layout.line(console, failure.summary, style="bold")
            for fault in failure.faults:
                layout.line(console, f"  {fault}")
            return
        for one in document["series"]:
            layout.line(
                console,
                f"{one['name']}: good; {one['n_obs']} of {one['n_table']} rows, "
                f"{one['span'][0]} to {one['span'][1]}",
            )
            _notes(console, one["remarks"])


def facts(document: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    with layout.page() as console:
        for name, value in document.items():
            shown = value
            if isinstance(value, Mapping):
                shown = ", ".join(f"{key} {inner}" for key, inner in value.items())
            elif isinstance(value, list):
                shown = ", ".join(map(str, value))
            layout.line(console, f"{name}: {shown}")


def _title(summary: Mapping[str, Any]) -> str:
    name = summary["series"]
    return f"{summary['domain']}/{name}" if summary["domain"] else str(name)


def _verdict(console: Console, summary: Mapping[str, Any]) -> None:
    found = summary["diagnostics"]
    if not found["reasons"]:
        layout.line(console, f"sampler: {found['verdict']}")
        return
    layout.line(console, f"{_title(summary)}: the sampler did not converge", style="bold red")
    for reason in found["reasons"]:
        layout.line(console, f"  {reason}", style="red")


def _notes(console: Console, notes: Sequence[str]) -> None:
    for note in notes:
        layout.line(console, f"note: {note}")


def _made_by(console: Console, found: Sequence[Mapping[str, Any]]) -> None:
    """What made the numbers, so that they can be made again."""
    made, sampler = found[0]["provenance"], found[0]["sampler"]
    digests = ", ".join(summary["provenance"]["data_sha256"][:12] for summary in found)
    versions = ", ".join(f"{name} {made[name]}" for name in ("effbayes", "jax", "numpyro"))
    layout.line(
        console,
        f"{versions}; {made['device']}; {sampler['chains']} chains of {sampler['draws']} draws, "
        f"seed {sampler['seed']}; data {digests}",
        style="dim",
    )
