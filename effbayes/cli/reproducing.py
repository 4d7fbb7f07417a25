"""``effbayes reproduce``: every published claim beside its posterior."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any

import typer

from effbayes.cli import layout, options, output
from effbayes.cli.progress import Reporter
from effbayes.cli.sampling import NOT_CONVERGED, keep_compiled
from effbayes.errors import UsageError
from effbayes.report.markdown import text as escaped
from effbayes.wording import doubling_time, estimate, number, probability

MOST_LISTED = 6
"""Rows of one correction that are listed one by one; more are counted."""

THIN = "*"
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, a table where there is one, and points after it."""

    title: str
    lines: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    points: Sequence[str] = ()


def reproduce(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    ci: options.Ci = 0.95,
    warmup: options.Warmup = None,
    draws: options.Draws = None,
    chains: options.Chains = None,
    target_accept: options.TargetAccept = None,
    seed: options.Seed = 0,
    platform: options.Platform = None,
    no_cache: options.NoCache = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Every published claim beside its posterior. With what is wrong in the published tables."""
    if json and markdown:
        raise UsageError("--json and --markdown were both given; give one of them")
    from effbayes.reproduction import reproduce as run

    keep_compiled(cached=not no_cache)
    sampler = {"warmup": warmup, "draws": draws, "chains": chains, "target_accept": target_accept}
    given = {name: value for name, value in sampler.items() if value is not None}
    with Reporter(quiet=quiet) as reporter:
        found = run(seed=seed, ci=ci, platform=platform, progress=reporter.start, **given)
    document = found.summary()
    if json:
        output.write_json(document)
    elif markdown:
        output.write(as_markdown(sections(document)))
    else:
        _print(sections(document))
    if not found.ok:
        raise typer.Exit(NOT_CONVERGED)


def sections(document: Json) -> list[Section]:
    """The whole page, whatever it is printed as."""
    return [
        _opening(document),
        _data(document),
        _assessed(document, "doubling_time_months"),
        _assessed(document, "factor"),
        _assessed(document, "faster"),
        _printed_references(document),
        _references(document),
        *map(_finding, document["findings"]),
        _made_by(document),
    ]


def as_markdown(page: Sequence[Section]) -> str:
    """A page as Markdown; its first section is the title's."""
    lines = []
    for level, section in zip(["#", *["##"] * len(page)], page, strict=False):
        lines += [f"{level} {escaped(section.title)}", ""]
        for line in section.lines:
            lines += [escaped(line), ""]
        if section.rows:
            lines.append(f"| {' | '.join(map(escaped, section.columns))} |")
            lines.append("|" + "---|" * len(section.columns))
            lines += [f"| {' | '.join(map(escaped, row))} |" for row in section.rows]
            lines.append("")
        if section.points:
            lines += [f"- {escaped(point)}" for point in section.points]
            lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _print(page: Sequence[Section]) -> None:
    with layout.page() as console:
        for section in page:
            layout.line(console, section.title, style="bold")
            for line in section.lines:
                layout.line(console, line)
            if section.rows:
                layout.table(console, section.columns, section.rows)
            for point in section.points:
                layout.line(console, f"- {point}")
            if section.points or not section.rows:
                layout.line(console, "")


def _opening(document: Json) -> Section:
    claims = document["claims"]
    assessed = [each for row in claims for each in row["assessments"]]
    follow = sum(not row["contradictions"] for row in claims)
    percent = _percent(document)
    held = sum(each["holds"] for each in assessed)
    counted = (
        f"{follow} of {len(claims)} claims follow from the numbers printed with them; {held} of "
        f"the {len(assessed)} quantities that they state hold with the corrected data."
    )
    how = (
        f"Posteriors: {document['model']} model, {document['prior']} prior; median and {percent} "
        f"equal-tailed interval. Sampler: {document['verdict']}."
    )
    lines = [counted, how]
    for fit in document["fits"]:
        if fit["reasons"]:
            first, more = fit["reasons"][0], len(fit["reasons"]) - 1
            which = "as published" if fit["published"] else "as corrected"
            others = f", and {more} more reasons" if more else ""
            lines.append(f"Not converged: {fit['series']}, {which}: {first}{others}.")
    return Section("Published claims beside their posteriors", lines)


def _data(document: Json) -> Section:
    rows, points = [], []
    for row in document["claims"]:
        if row["kind"] == "reference":
            continue
        found = {"published": row["contradictions"], "corrected": row["still_contradicts"]}
        seen = [(_observed(row[state]), _yes(not found[state])) for state in found]
        count = "-" if row["corrected"] is None else str(row["corrected"]["n_obs"])
        rows.append((row["claim"], count, *seen[0], *seen[1]))
        where = [f"{state} table, {'; '.join(why)}" for state, why in found.items() if why]
        if where:
            points.append(f"{row['claim']}. {'. '.join(map(_capital, where))}")
    return Section(
        "Does it follow from its own data?",
        [f"Rule: {document['criteria']['reproducible']}. The line is that of least squares."],
        ("claim, as printed", "rows", "published table", "follows", "corrected table", "follows"),
        rows,
        points,
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _observed(seen: Json | None) -> str:
    if seen is None:
        return "-"
    factor, years = number(seen["factor"]), number(seen["years"])
    return f"{factor}x, {years} y, {number(seen['doubling_time_months'])} mo"


QUANTITIES = {
    "doubling_time_months": ("Does the doubling time hold?", "months printed"),
    "factor": ("Does the factor hold?", "factor printed"),
    "faster": ("Is it faster than the reference?", "factor of the reference"),
}


def _assessed(document: Json, quantity: str) -> Section:
    """Posteriors of one kind of quantity, with the data as published and as corrected."""
    title, claimed = QUANTITIES[quantity]
    show = doubling_time if quantity == "doubling_time_months" else estimate
    rows, thin = [], False
    for row in document["claims"]:
        for each in row["assessments"]:
            if each["quantity"] != quantity:
                continue
            two = row["corrected"]["n_obs"] == 2
            thin |= two
            period = "" if each["years"] is None else f" in {number(each['years'])} years"
            rows.append(
                (
                    row["claim"].partition(":")[0],
                    _figure(each["claimed"]) + period,
                    show(each["published"]),
                    show(each["corrected"]),
                    probability(each["published"]["prob"]),
                    probability(each["corrected"]["prob"]),
                    _yes(each["holds"]) + (THIN if two else ""),
                )
            )
    lines = [f"Rule: it {document['criteria'][quantity]}. {MEANING[quantity]}"]
    if thin:
        lines.append(
            f"{THIN} Two rows leave the noise to its prior, and the interval is as wide as that "
            "prior says: neither a yes nor a no tells much."
        )
    columns = (
        "claim",
        claimed,
        "published data",
        "corrected data",
        "P, published",
        "P, corrected",
        "holds",
    )
    return Section(title, lines, columns, rows)


MEANING = {
    "doubling_time_months": "P: probability of the claimed doubling time or a shorter one.",
    "factor": "P: probability of the claimed factor or a larger one.",
    "faster": "P: probability that the trend is the faster one; the data columns have its factor.",
}


def _printed_references(document: Json) -> Section:
    rows = [
        (
            row["claim"],
            f"{number(row['implied_months'])} ({_range(row['implied_months_range'])})",
            _months_of(document, row["reference"]),
            "; ".join(row["contradictions"]) or "yes",
        )
        for row in document["claims"]
        if row["kind"] == "reference"
    ]
    return Section(
        "Are the reference rates consistent?",
        [f"Rule: it {document['criteria']['reference']}. No posterior: these are printed figures."],
        ("as printed", "months it implies", "months stated", "agrees"),
        rows,
    )


def _months_of(document: Json, name: str) -> str:
    [months] = [
        each["rate"]["doubling_time_months"]
        for each in document["references"]
        if each["rate"]["name"] == name
    ]
    return _figure(months)


def _references(document: Json) -> Section:
    first = document["references"][0]
    period, factor = _figure(first["years"]), _figure(first["printed_factor"])
    rows = [
        (
            each["rate"]["title"],
            _figure(each["rate"]["doubling_time_months"]),
            number(each["factor"]),
            _yes(each["agrees"]),
            each["rate"]["source"],
        )
        for each in document["references"]
    ]
    columns = ("rate", "months", f"factor in {period} years", f"that is {factor}x", "source")
    lines = [f"Moore's law is printed as {factor}x in {period} years: which rates give that?"]
    return Section("Reference rates", lines, columns, rows)


def _finding(finding: Json) -> Section:
    points = list(_corrections(finding["corrections"]))
    for series, group in groupby(finding["effects"], key=lambda each: each["series"]):
        effects = list(group)
        if len(effects) == 1:
            points.append(f"{series}: no factor and no doubling time changes")
            continue
        readings = [
            f"{each['reading']} {number(each['factor'])}x, "
            f"{number(each['doubling_time_months'])} months"
            for each in effects
        ]
        points.append(f"{series}, by least squares: {'; '.join(readings)}")
    return Section(f"Finding {finding['number']}: {finding['title']}", points=points)


def _corrections(corrections: Sequence[Json]) -> Iterator[str]:
    """Rows with one field and one reason are one line."""

    def same(each: Json) -> tuple[str, str]:
        return each["field"].removeprefix("claim."), each["reason"]

    for (field, reason), group in groupby(corrections, key=same):
        members = list(group)
        changes = "; ".join(map(_change, members))
        if len(members) > MOST_LISTED:
            changes = f"{len(members)} rows of {members[0]['domain']}/{members[0]['series']}"
        yield f"{field.replace('_', ' ')}: {changes} ({reason})"


def _change(each: Json) -> str:
    name = each["label"] or f"{each['domain']}/{each['series']}"
    if each["published"] == each["corrected"]:
        return f"{name} {each['published']}"
    return f"{name} {each['published'] or 'nothing'}, should be {each['corrected']}"


def _made_by(document: Json) -> Section:
    made, sampler = document["provenance"], document["sampler"]
    versions = ", ".join(f"{name} {made[name]}" for name in ("effbayes", "jax", "numpyro"))
    how = f"{sampler['chains']} chains of {sampler['draws']} draws, seed {sampler['seed']}"
    return Section("Made by", [f"{versions}; {made['device']}; {how}: effbayes reproduce"])


def _percent(document: Json) -> str:
    return f"{100 * document['ci']['prob']:g} %"


def _figure(value: float) -> str:
    """A printed figure, with all its digits."""
    return f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}"


def _range(ends: Sequence[float]) -> str:
    return f"{number(ends[0])} to {number(ends[1])}"
