"""The report of one run: its sections, in the order in which a reader asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from effbayes import domains, wording
from effbayes.posterior import date_after
from effbayes.report import choices, data_section, mathematics, pictures, prior_section, reproducing
from effbayes.report.answers import of_parameters, of_the_change, of_the_trend
from effbayes.report.document import (
    Block,
    Cell,
    Document,
    Paragraph,
    Points,
    Section,
    Table,
    Verdict,
)
from effbayes.report.tables import CRITERIA, columns, diagnostic, number
from effbayes.report.verdicts import of_models, verdict

if TYPE_CHECKING:
    from effbayes.analysis import Analysis
    from effbayes.comparison import Comparison
    from effbayes.dataset import Series
    from effbayes.types import IntervalKind

AHEAD = (1, 2, 5)
"""Years after the last row for which a value is forecast."""


def document(
    fit: Analysis,
    *,
    ci: float = 0.95,
    kind: IntervalKind = "eti",
    comparison: Comparison | None = None,
) -> Document:
    """What is to be said of a run.

    Parameters
    ----------
    fit
        From memory or disk.
    ci, kind
        Probability and kind of the credible intervals.
    comparison
        Models of the same series, from `effbayes.compare`; without one the report says how to get
        it.

    Returns
    -------
    Document
        Its numbers are those of ``fit.summary(ci, kind)``.
    """
    said = fit.summary(ci, kind)
    claim = claim_of(fit.series)
    verdicts = (verdict(fit),) if comparison is None else of_models(comparison)
    return Document(
        title=fit.series.title or fit.id,
        answer=answer(fit, said),
        verdicts=verdicts,
        sections=(
            _claim(fit, said, claim),
            Section("trend", "The trend", (pictures.trend(fit, said),)),
            _factor(fit, said),
            _doubling_time(fit, said, claim),
            prior_section.section(fit, ci),
            _forecast(fit, said),
            choices.section(fit, comparison, ci, kind),
            Section("check", "Does the model fit?", (pictures.predictive_check(fit),)),
            _sampler(fit, said, verdicts),
            data_section.section([fit.series]),
            Section("model", "The model and its priors", mathematics.model(fit.settings)),
            reproducing.again([fit.series], fit.settings),
            reproducing.cite([fit.series], fit.made_by["effbayes"]),
        ),
        numbers=said,
        made_by=reproducing.made_by(fit.made_by, fit.settings),
    )


def answer(fit: Analysis, said: Mapping[str, Any]) -> str:
    """The doubling time and its interval, in a sentence."""
    found, percent = said["doubling_time_months"], f"{100 * said['ci']['prob']:g} %"
    what = "equal-tailed" if said["ci"]["kind"] == "eti" else "highest-density"
    mean = ", on average over the rows," if "rate_mid" in fit.draws or said.get("change") else ""
    if found["median"] is not None and found["high"] is not None:
        return (
            f"Efficiency doubles{mean} every {wording.number(found['median'])} months ({percent} "
            f"{what} credible interval {wording.number(found['low'])} to "
            f"{wording.number(found['high'])})."
        )
    if found["low"] is None:
        return f"There is no progress{mean.rstrip(',')} ({percent} {what} credible interval)."
    return (
        f"The doubling time of efficiency{mean} is {wording.doubling_time(found, 'months')} "
        f"({percent} {what} credible interval)."
    )


def claim_of(series: Series) -> domains.Claim | None:
    """What was published of a series that ships."""
    if not series.domain:
        return None
    for claim in domains.published_claims():
        if (claim.domain, claim.series) == (series.domain, series.name):
            return claim
    return None


def _claim(fit: Analysis, said: Mapping[str, Any], claim: domains.Claim | None) -> Section:
    blocks: list[Block] = []
    if claim is not None:
        as_fast = fit.prob_faster_than(claim.doubling_time_months)
        blocks.append(
            Paragraph(
                f"Published: {claim.factor:g} times in {wording.number(claim.period_years)} years, "
                f"a doubling every {wording.number(claim.doubling_time_months)} months "
                f"({claim.source}). Progress at least as fast has posterior probability "
                f"{wording.probability(as_fast)}."
            )
        )
    factors = said["efficiency_factor"]
    rows = [
        ("doubling time, months", wording.doubling_time(said["doubling_time_months"])),
        *of_the_trend(said),
        *of_parameters(said),
    ]
    percent = f"{100 * said['ci']['prob']:g} %"
    blocks.append(
        Table(
            "quantities",
            f"Medians and {percent} credible intervals; the span is {factors['from']} to "
            f"{factors['to']}.",
            columns("quantity", f"median ({percent} interval)"),
            tuple((Cell(name), Cell(value)) for name, value in rows),
        )
    )
    blocks.append(_references(said))
    if said["notes"]:
        blocks.append(Points(tuple(said["notes"])))
    return Section("claim", "What the data say", tuple(blocks))


def _references(said: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            Cell(each["name"]),
            number(each["doubling_time_months"]),
            number(each["factor"]),
            Cell(wording.probability(each["prob_faster"]), each["prob_faster"]),
        )
        for each in said["references"]
    )
    heads = columns(
        "reference rate", "doubling time, months", "factor over the span", "P(faster)", numeric=3
    )
    return Table("references", "How likely progress is faster than other rates.", heads, rows)


def _factor(fit: Analysis, said: Mapping[str, Any]) -> Section:
    factors = said["efficiency_factor"]
    said_so = Paragraph(
        f"From {factors['from']} to {factors['to']} the trend gained a factor of "
        f"{wording.estimate(factors['trend'])}. Two new systems of those dates would differ by "
        f"{wording.estimate(factors['predictive'])}, since systems scatter around the trend."
    )
    blocks = (said_so, pictures.factor(fit, said))
    return Section("factor", "Efficiency over the years", blocks)


def _doubling_time(fit: Analysis, said: Mapping[str, Any], claim: domains.Claim | None) -> Section:
    published = None if claim is None else claim.doubling_time_months
    picture = pictures.doubling_time(fit, said, published)
    blocks: list[Block] = [picture]
    if own := _of_the_model(said):
        blocks.append(own)
    return Section("doubling-time", "The doubling time", tuple(blocks))


def _of_the_model(said: Mapping[str, Any]) -> Table | None:
    """What a model has to say that others have not."""
    if change := said.get("change"):
        rows = of_the_change(change)
        caption = "The change of the rate."
    elif drift := said.get("drift"):
        rows = [
            (f"rate on {each['date']}, doublings per year", wording.estimate(each))
            for each in drift["rate"]
        ]
        rows.append(("doubling time at the end", _months(drift["doubling_time_at_end_months"])))
        caption = "The rate over the years."
    else:
        return None
    cells = tuple((Cell(name), Cell(value)) for name, value in rows)
    return Table("of-the-model", caption, columns("quantity", "median and interval"), cells)


def _months(value: Mapping[str, Any]) -> str:
    return wording.doubling_time(value, "months")


def _forecast(fit: Analysis, said: Mapping[str, Any]) -> Section:
    prob, kind = said["ci"]["prob"], said["ci"]["kind"]
    last = fit.series.ends[1].astype("datetime64[D]")
    dates = [str(date_after(last, years)) for years in AHEAD]
    found = [fit.forecast(at=date, ci=prob, kind=kind) for date in dates]
    rows = tuple(
        (
            Cell(each.date),
            Cell(wording.estimate(each.trend._asdict())),
            Cell(wording.estimate(each.predictive._asdict())),
        )
        for each in found
    )
    unit = fit.series.unit
    heads = columns("date", f"trend, {unit}" if unit else "trend", "a new system")
    caption = f"Values after the last row, with {100 * prob:g} % intervals, if nothing changes."
    notes = dict.fromkeys(note for each in found for note in each.notes)
    alt = f"On {found[0].date} the trend is at {rows[0][1].text}{f' {unit}' if unit else ''}."
    blocks: list[Block] = [
        pictures.forecast(fit, dates[0], alt),
        Table("forecast", caption, heads, rows),
    ]
    if notes:
        blocks.append(Points(tuple(notes)))
    return Section("forecast", "If it goes on like this", tuple(blocks))


def _sampler(fit: Analysis, said: Mapping[str, Any], verdicts: Sequence[Verdict]) -> Section:
    """Figures and pictures of the sampler, and what is said of other models where there are any."""
    rows = tuple(
        (
            Cell(name),
            diagnostic(each.r_hat, 4),
            diagnostic(each.ess_bulk, 0),
            diagnostic(each.ess_tail, 0),
        )
        for name, each in fit.verdict.quantities.items()
    )
    figures = said["diagnostics"]
    caption = (
        f"Convergence of every quantity: {CRITERIA}. "
        f"Divergences {figures['divergences']}, trajectories cut short "
        f"{figures['max_tree_depth_hits']}, "
        f"smallest BFMI {wording.diagnostic(fit.verdict.bfmi_min, 2)}."
    )
    heads = columns("quantity", "R-hat", "bulk ESS", "tail ESS", numeric=3)
    table = Table("diagnostics", caption, heads, rows)
    blocks: tuple[Block, ...] = (*verdicts, table, pictures.ranks(fit), pictures.energy(fit))
    return Section("sampler", "Can the draws be relied on?", blocks)
