"""The report of several series: each fitted alone, or all pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from effbayes import wording
from effbayes.errors import UsageError
from effbayes.report import data_section, mathematics, of_a_run, pictures, reproducing
from effbayes.report.document import Cell, Column, Document, Paragraph, Points, Section, Table
from effbayes.report.tables import CRITERIA, columns, diagnostic, number, text
from effbayes.report.verdicts import verdict
from effbayes.summary import SUMMARIES_SCHEMA

if TYPE_CHECKING:
    from effbayes.analysis import Analysis
    from effbayes.pooled import Pooled
    from effbayes.report.document import Verdict
    from effbayes.types import IntervalKind

POPULATION = {
    "doubling_time_typical_months": "doubling time of the typical domain, months",
    "doubling_time_new_months": "doubling time of a domain not yet seen, months",
    "tau": "tau, spread of log doubling times",
    "s": "s, noise of the typical series, doublings",
}


def document(fits: Sequence[Analysis], *, ci: float = 0.95, kind: IntervalKind = "eti") -> Document:
    """What is to be said of several series, each fitted alone.

    Parameters
    ----------
    fits
        Of different series, by one model and prior.
    ci, kind
        Probability and kind of the credible intervals.

    Raises
    ------
    UsageError
        The runs are of different models, priors or samplers.
    """
    said = [fit.summary(ci, kind) for fit in fits]
    first = fits[0]
    if any(fit.settings != first.settings for fit in fits):
        raise UsageError(
            "runs of several series go into one report if model, priors and sampler are the same; "
            "these differ"
        )
    all_series = [fit.series for fit in fits]
    made_by = {name: x for name, x in first.made_by.items() if name != "data_sha256"}
    made_by |= {f"data of {fit.id}": fit.made_by["data_sha256"] for fit in fits}
    return Document(
        title=_title(fits),
        answer=_answer(fits, said, f"{100 * ci:g} %"),
        verdicts=tuple(map(verdict, fits)),
        sections=(
            _overview(fits, said),
            _each(fits, said),
            _sampler(fits),
            data_section.section(all_series),
            Section("model", "The model and its priors", mathematics.model(first.settings)),
            reproducing.again(all_series, first.settings),
            reproducing.cite(all_series, first.made_by["effbayes"]),
        ),
        numbers={"schema": SUMMARIES_SCHEMA, "summaries": said},
        made_by=reproducing.made_by(made_by, first.settings),
    )


def pooled(run: Pooled, *, ci: float = 0.95, kind: IntervalKind = "eti") -> Document:
    """What is to be said of series with one population.

    Parameters
    ----------
    run
        From memory or disk.
    ci, kind
        Probability and kind of the credible intervals.
    """
    found = run.summary(ci, kind)
    fits, said = list(run.members.values()), found["summaries"]
    all_series = [fit.series for fit in fits]
    percent = f"{100 * ci:g} %"
    typical = wording.doubling_time(found["population"]["doubling_time_typical_months"], "months")
    shown = tuple(
        (
            Cell(words),
            Cell(wording.estimate(found["population"][name])),
            diagnostic(found["population"][name]["r_hat"], 4),
            diagnostic(found["population"][name]["ess_bulk"], 0),
        )
        for name, words in POPULATION.items()
    )
    heads = (
        *columns("quantity", f"median ({percent} interval)"),
        *columns("R-hat", "bulk ESS", numeric=2),
    )
    population = Section(
        "population",
        "What the series have in common",
        (Table("population", "The population of domains.", heads, shown),),
    )
    settings, made_by = dict(run.settings), dict(run.made_by)
    return Document(
        title=f"{len(fits)} series pooled",
        answer=f"In the typical domain the doubling time of efficiency is {typical} ({percent}).",
        verdicts=(_of_all(run),),
        sections=(
            population,
            _overview(fits, said),
            _each(fits, said),
            _sampler(fits),
            data_section.section(all_series),
            Section("model", "The model and its priors", mathematics.model(settings)),
            reproducing.again(all_series, settings),
            reproducing.cite(all_series, made_by["effbayes"]),
        ),
        numbers=found,
        made_by=reproducing.made_by(made_by, settings),
    )


def _of_all(run: Pooled) -> Verdict:
    first = next(iter(run.members.values()))
    found = verdict(first)
    if run.verdict.ok:
        return replace(found, text="The sampler converged for all series and the population.")
    said = "The sampler did not converge; do not rely on these numbers."
    return replace(found, ok=False, text=said, reasons=tuple(run.verdict.reasons))


def _title(fits: Sequence[Analysis]) -> str:
    shared = {fit.series.domain for fit in fits}
    names = f"{len(fits)} series"
    return f"{shared.pop()}: {names}" if len(shared) == 1 and "" not in shared else names


def _answer(fits: Sequence[Analysis], said: Sequence[Mapping[str, Any]], percent: str) -> str:
    """From the fastest to the slowest, by their medians; and those that may not progress at all."""
    times = [(each["doubling_time_months"], fit.id) for fit, each in zip(fits, said, strict=True)]
    known = sorted(
        (one for one in times if one[0]["median"] is not None), key=lambda one: one[0]["median"]
    )
    unknown = [name for time, name in times if time["median"] is None]
    said_of_them = f"The median of {', '.join(unknown)} is no progress." if unknown else ""
    if not known:
        return said_of_them
    words = [f"{wording.doubling_time(time, 'months')} of {name}" for time, name in known]
    ends = " to ".join(dict.fromkeys((words[0], words[-1])))
    verb = "go from" if len(known) > 1 else "are"
    shown = f"Median doubling times of efficiency ({percent} intervals) {verb} {ends}."
    return f"{shown} {said_of_them}".strip()


def _overview(fits: Sequence[Analysis], said: Sequence[Mapping[str, Any]]) -> Section:
    published = {}
    cells = []
    notes: dict[str, list[str]] = {}
    for fit, each in zip(fits, said, strict=True):
        claim = of_a_run.claim_of(fit.series)
        moore = next(ref for ref in each["references"] if ref["name"] == "moore")["prob_faster"]
        as_fast = None
        if claim is not None:
            published[fit.id] = claim.doubling_time_months
            as_fast = fit.prob_faster_than(claim.doubling_time_months)
        time, factor = each["doubling_time_months"], each["efficiency_factor"]["trend"]
        cells.append(
            (
                text(fit.id),
                number(each["n_obs"], f"{each['n_obs']} of {each['n_table']}"),
                Cell(wording.doubling_time(time), time["median"]),
                number(published.get(fit.id)),
                Cell("-") if as_fast is None else Cell(wording.probability(as_fast), as_fast),
                Cell(wording.estimate(factor), factor["median"]),
                Cell(wording.probability(moore), moore),
                Cell(each["diagnostics"]["verdict"]),
            )
        )
        for note in each["notes"]:
            notes.setdefault(note, []).append(fit.id)
    percent = f"{100 * said[0]['ci']['prob']:g} %"
    heads = (
        *columns("series"),
        Column("rows", numeric=True),
        *columns(f"doubling time, months ({percent})", "published", "P(as fast)", numeric=3),
        *columns("factor over the span", "P(faster than Moore)", numeric=2),
        *columns("sampler"),
    )
    alt = "; ".join(f"{row[0].text}: {row[2].text} months" for row in cells)
    table = Table("series", "Every series beside what was published.", heads, tuple(cells))
    blocks: list[Any] = [pictures.forest(fits, published, alt), table]
    if notes:
        blocks.append(
            Points(
                tuple(
                    f"{'all series' if len(names) == len(fits) else ', '.join(names)}: {note}"
                    for note, names in notes.items()
                )
            )
        )
    return Section("series", "Doubling times side by side", tuple(blocks))


def _each(fits: Sequence[Analysis], said: Sequence[Mapping[str, Any]]) -> Section:
    blocks: list[Any] = []
    for place, (fit, each) in enumerate(zip(fits, said, strict=True), start=1):
        blocks.append(Paragraph(f"{fit.series.title or fit.id}. {of_a_run.answer(fit, each)}"))
        picture = pictures.trend(fit, each)
        if place > 1:
            unit = fit.series.unit or "Values"
            picture = replace(picture, caption=f"{unit}, drawn as in the first of these figures.")
        # Not to be explored: with many series the page would grow too large.
        blocks.append(replace(picture, id=f"trend-{place}", explore=None))
    return Section("trends", "Each trend", tuple(blocks))


def _sampler(fits: Sequence[Analysis]) -> Section:
    cells = tuple(
        (
            text(fit.id),
            diagnostic(fit.verdict.r_hat_max, 4),
            diagnostic(fit.verdict.ess_bulk_min, 0),
            diagnostic(fit.verdict.ess_tail_min, 0),
            number(fit.verdict.divergences, str(fit.verdict.divergences)),
            diagnostic(fit.verdict.bfmi_min, 2),
        )
        for fit in fits
    )
    heads = columns(
        "series", "largest R-hat", "bulk ESS", "tail ESS", "divergences", "BFMI", numeric=5
    )
    caption = f"The worst figure of each: {CRITERIA}."
    table = Table("diagnostics", caption, heads, cells)
    return Section("sampler", "Can the draws be relied on?", (table,))
